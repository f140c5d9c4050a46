//! What is measured of a module before it is compiled. The bounds of the process hold whatever these miss; these refuse in
//! milliseconds what would keep the compiler busy until it is killed, and say why.

use wasmparser::{BlockType, CompositeInnerType, FunctionBody, Operator, Parser, Payload, SubType};

use super::message::{CompileBounds, WorkerAnswer};
use crate::compile_error::Bound;

/// The bound that `binary` exceeds, if it does. What is no WebAssembly exceeds none: the compiler says what is wrong with it.
pub fn check(binary: &[u8], bounds: &CompileBounds) -> Result<(), WorkerAnswer> {
    let mut depth = 0;
    // Of each module that is open, the number of values that its types take and give.
    let mut types: Vec<Vec<u64>> = vec![Vec::new()];
    for payload in Parser::new(0).parse_all(binary) {
        match payload {
            Ok(Payload::ComponentSection { .. } | Payload::ModuleSection { .. }) => {
                depth += 1;
                within(Bound::Nesting, depth, bounds.nesting)?;
                types.push(Vec::new());
            }
            Ok(Payload::End(_)) => {
                depth = depth.saturating_sub(1);
                types.pop();
            }
            Ok(Payload::TypeSection(section)) => {
                let groups = section.into_iter().filter_map(Result::ok);
                let values = groups.flat_map(|group| group.into_types().map(|one| values(&one)).collect::<Vec<_>>());
                types.last_mut().map(|types| types.extend(values)).unwrap_or_default();
            }
            Ok(Payload::CodeSectionEntry(body)) => {
                let found = complexity(&body, types.last().map(Vec::as_slice).unwrap_or_default());
                within(Bound::Complexity, found, bounds.complexity)?;
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Ok(())
}

pub fn within(bound: Bound, found: u64, max: u64) -> Result<(), WorkerAnswer> {
    if found > max { Err(WorkerAnswer::Beyond { bound, found }) } else { Ok(()) }
}

fn values(one: &SubType) -> u64 {
    match &one.composite_type.inner {
        CompositeInnerType::Func(function) => (function.params().len() + function.results().len()) as u64,
        _ => 0,
    }
}

/// What the compiler has to look at where each block begins, added up: locals, what the block takes and gives, and the blocks
/// around it. And what tables of branches pass on.
fn complexity(body: &FunctionBody<'_>, types: &[u64]) -> u64 {
    let locals = body.get_locals_reader().ok().map(|locals| locals.into_iter().filter_map(Result::ok));
    let locals = locals.into_iter().flatten().map(|(count, _)| u64::from(count)).sum::<u64>();
    let of_type = |kind: BlockType| match kind {
        BlockType::Empty => 0,
        BlockType::Type(_) => 1,
        BlockType::FuncType(index) => types.get(index as usize).copied().unwrap_or_default(),
    };
    let (mut sum, mut widest, mut open) = (locals, 0, 0);
    let Ok(operators) = body.get_operators_reader() else { return sum };
    for operator in operators.into_iter().map_while(Result::ok) {
        let more = match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                widest = of_type(blockty).max(widest);
                open += 1;
                locals + of_type(blockty) + open
            }
            Operator::TryTable { try_table } => {
                open += 1;
                locals + of_type(try_table.ty) + open
            }
            Operator::End => {
                open = open.saturating_sub(1);
                0
            }
            Operator::BrTable { targets } => (widest + 1).saturating_mul(u64::from(targets.len())),
            _ => 0,
        };
        sum = sum.saturating_add(more);
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NONE: CompileBounds = CompileBounds {
        time: Duration::MAX,
        memory: u64::MAX,
        binary: u64::MAX,
        complexity: u64::MAX,
        nesting: u64::MAX,
    };

    fn check_text(text: &str, bounds: CompileBounds) -> Result<(), WorkerAnswer> {
        check(&wat::parse_str(text).unwrap(), &bounds)
    }

    #[test]
    fn locals_are_counted_once_for_each_block() {
        let text = format!("(module (func (local {}) {}))", "i32 ".repeat(100), "(loop)".repeat(9));
        let bounds = |complexity| CompileBounds { complexity, ..NONE };
        assert_eq!(check_text(&text, bounds(1009)), Ok(()));
        let beyond = WorkerAnswer::Beyond { bound: Bound::Complexity, found: 1009 };
        assert_eq!(check_text(&text, bounds(1008)), Err(beyond));
    }

    #[test]
    fn blocks_in_blocks_count_more_than_blocks_side_by_side() {
        let (nested, beside) = (["(block ", ")"].map(|part| part.repeat(100)).concat(), "(block)".repeat(100));
        let bounds = CompileBounds { complexity: 200, ..NONE };
        assert_eq!(check_text(&format!("(module (func {beside}))"), bounds), Ok(()));
        let beyond = WorkerAnswer::Beyond { bound: Bound::Complexity, found: 5050 };
        assert_eq!(check_text(&format!("(module (func {nested}))"), bounds), Err(beyond));
    }

    #[test]
    fn values_that_blocks_and_tables_of_branches_pass_on_are_counted() {
        let (params, values) = ("i64 ".repeat(50), "(i64.const 0)".repeat(50));
        let block = format!(
            "{values} block (param {params}) (result {params}) i32.const 0 br_table 0 0 0 end {}",
            "drop ".repeat(50)
        );
        let bounds = |complexity| CompileBounds { complexity, ..NONE };
        let text = format!("(module (func {block}))");
        // The block's type has 100 values; the table has two targets besides the default one.
        assert_eq!(check_text(&text, bounds(303)), Ok(()));
        assert!(check_text(&text, bounds(302)).is_err());
    }

    #[test]
    fn components_are_nested_so_deep_and_no_deeper() {
        let text = format!("{}(core module){}", "(component ".repeat(5), ")".repeat(5));
        let bounds = |nesting| CompileBounds { nesting, ..NONE };
        assert_eq!(check_text(&text, bounds(5)), Ok(()));
        assert_eq!(check_text(&text, bounds(4)), Err(WorkerAnswer::Beyond { bound: Bound::Nesting, found: 5 }));
        let side_by_side = format!("(component {})", "(core module)".repeat(9));
        assert_eq!(check_text(&side_by_side, bounds(1)), Ok(()));
    }

    #[test]
    fn what_is_no_webassembly_is_left_to_the_compiler() {
        for wrong in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\x0a\xff", b"nonsense"] {
            assert_eq!(check(wrong, &CompileBounds { complexity: 0, nesting: 0, ..NONE }), Ok(()));
        }
    }
}
