//! The signature of a numeric function: parameters from text, results to text.

use wasmtime::{FuncType, Val, ValType};

pub struct Signature {
    parameters: Vec<ValType>,
    results: usize,
}

/// The signature of `function`, or the name of a type in it that is not a number.
pub fn signature(function: &FuncType) -> Result<Signature, String> {
    let is_number = |of: &ValType| matches!(of, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64);
    match function.params().chain(function.results()).find(|of| !is_number(of)) {
        Some(other) => Err(other.to_string()),
        None => Ok(Signature { parameters: function.params().collect(), results: function.results().len() }),
    }
}

impl Signature {
    /// Reads the parameters from `input`: numbers separated by commas. The error says which one is wrong and what is expected.
    pub fn parse(&self, input: &[u8]) -> Result<Vec<Val>, String> {
        let wanted = self.expected();
        let text = std::str::from_utf8(input).map_err(|_| format!("{wanted}, found bytes that are not text"))?.trim();
        let given: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() };
        if given.len() != self.parameters.len() {
            return Err(format!("{wanted}, found {}", given.len()));
        }
        self.parameters
            .iter()
            .zip(given)
            .map(|(of, text)| {
                number(of, text).ok_or_else(|| {
                    let shown: String = text.chars().take(40).collect();
                    format!("{wanted}, found `{shown}`, which is not of type {of}")
                })
            })
            .collect()
    }

    pub fn results(&self) -> Vec<Val> {
        vec![Val::I32(0); self.results]
    }

    fn expected(&self) -> String {
        let types: Vec<_> = self.parameters.iter().map(ToString::to_string).collect();
        match &types[..] {
            [] => "expected no numbers".into(),
            [one] => format!("expected 1 number of type {one}"),
            _ => format!("expected {} numbers of types {}", types.len(), types.join(", ")),
        }
    }
}

fn number(of: &ValType, text: &str) -> Option<Val> {
    match of {
        ValType::I32 => text.parse().ok().map(Val::I32),
        ValType::I64 => text.parse().ok().map(Val::I64),
        ValType::F32 => text.parse().ok().map(f32::to_bits).map(Val::F32),
        ValType::F64 => text.parse().ok().map(f64::to_bits).map(Val::F64),
        _ => None,
    }
}

/// Results as text, separated by commas, with a newline at the end.
pub fn show(results: &[Val]) -> String {
    let show = |result: &Val| match result {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        other => format!("{other:?}"),
    };
    let mut text = results.iter().map(show).collect::<Vec<_>>().join(", ");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Signature {
        Signature { parameters: vec![ValType::I32, ValType::F64], results: 1 }
    }

    #[test]
    fn parameters_are_separated_by_commas() {
        let values = two().parse(b" -7 , 2.5\n").unwrap();
        assert_eq!(show(&values), "-7, 2.5\n");
        assert!(Signature { parameters: vec![], results: 1 }.parse(b"").unwrap().is_empty());
    }

    #[test]
    fn errors_say_what_is_expected_and_what_was_found() {
        let cases: [(&[u8], &str); 5] = [
            (b"1", "expected 2 numbers of types i32, f64, found 1"),
            (b"1,2,3", "expected 2 numbers of types i32, f64, found 3"),
            (b"2147483648,1", "expected 2 numbers of types i32, f64, found `2147483648`, which is not of type i32"),
            (b"1,two", "expected 2 numbers of types i32, f64, found `two`, which is not of type f64"),
            (b"\xff", "expected 2 numbers of types i32, f64, found bytes that are not text"),
        ];
        for (input, message) in cases {
            assert_eq!(two().parse(input).unwrap_err(), message);
        }
    }
}
