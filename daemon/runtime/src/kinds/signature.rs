//! The signature of a numeric function: parameters from text, results to text.

use wasmtime::{FuncType, Val, ValType};

/// A number type of WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    I32,
    I64,
    F32,
    F64,
}

/// The parameters and results of a numeric function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    parameters: Vec<Number>,
    results: usize,
}

/// The signature of `function`, or the name of a type in it that is not a number.
pub fn signature(function: &FuncType) -> Result<Signature, String> {
    let parameters = function.params().map(|parameter| number(&parameter)).collect::<Result<_, _>>()?;
    let results = function.results().map(|result| number(&result)).collect::<Result<Vec<_>, _>>()?.len();
    Ok(Signature { parameters, results })
}

fn number(of: &ValType) -> Result<Number, String> {
    match of {
        ValType::I32 => Ok(Number::I32),
        ValType::I64 => Ok(Number::I64),
        ValType::F32 => Ok(Number::F32),
        ValType::F64 => Ok(Number::F64),
        other => Err(other.to_string()),
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
            .map(|(number, text)| {
                number.parse(text).ok_or_else(|| {
                    let shown: String = text.chars().take(40).collect();
                    format!("{wanted}, found `{shown}`, which is not of type {}", number.as_str())
                })
            })
            .collect()
    }

    /// Room for the results.
    pub fn results(&self) -> Vec<Val> {
        vec![Val::I32(0); self.results]
    }

    fn expected(&self) -> String {
        let types: Vec<_> = self.parameters.iter().map(|parameter| parameter.as_str()).collect();
        match types[..] {
            [] => "expected no numbers".into(),
            [one] => format!("expected 1 number of type {one}"),
            _ => format!("expected {} numbers of types {}", types.len(), types.join(", ")),
        }
    }
}

impl Number {
    fn as_str(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    fn parse(self, text: &str) -> Option<Val> {
        match self {
            Self::I32 => text.parse().ok().map(Val::I32),
            Self::I64 => text.parse().ok().map(Val::I64),
            Self::F32 => text.parse().ok().map(f32::to_bits).map(Val::F32),
            Self::F64 => text.parse().ok().map(f64::to_bits).map(Val::F64),
        }
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
        Signature { parameters: vec![Number::I32, Number::F64], results: 1 }
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
