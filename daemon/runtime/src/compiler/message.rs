//! What the two processes say to each other.

use std::time::Duration;

use crate::compile_error::Bound;

/// Bounds on the compilation of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileBounds {
    /// From start to end, with time spent waiting for a processor.
    pub time: Duration,
    /// Address space of the compiler, in bytes.
    pub memory: u64,
    /// Size of the binary that a text stands for, in bytes.
    pub binary: u64,
    /// Locals, and blocks around it, added up over the blocks of one function: the compiler looks at them at the beginning of
    /// each block.
    pub complexity: u64,
    /// How deep components may be nested in each other.
    pub nesting: u64,
}

/// Which of the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    Plain,
    Concurrent,
}

impl EngineKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Concurrent => "concurrent",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Plain, Self::Concurrent].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What to compile for, and within which bounds. It travels in the arguments of the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub engine: EngineKind,
    pub bounds: CompileBounds,
}

impl Request {
    pub fn arguments(&self) -> [String; 6] {
        let CompileBounds { time, memory, binary, complexity, nesting } = self.bounds;
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let [millis, memory, binary, complexity, nesting] =
            [millis, memory, binary, complexity, nesting].map(|number| number.to_string());
        [self.engine.as_str().into(), millis, memory, binary, complexity, nesting]
    }

    pub fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let engine = EngineKind::parse(arguments.next()?)?;
        let mut number = || arguments.next()?.parse::<u64>().ok();
        let time = Duration::from_millis(number()?);
        let (memory, binary, complexity, nesting) = (number()?, number()?, number()?, number()?);
        let bounds = CompileBounds { time, memory, binary, complexity, nesting };
        arguments.next().is_none().then_some(Self { engine, bounds })
    }
}

/// What comes of it.
#[derive(Debug, PartialEq, Eq)]
pub enum WorkerAnswer {
    /// The artefact and its digest.
    Code(Vec<u8>),
    /// No WebAssembly that could be compiled, and why.
    Invalid(String),
    Beyond {
        bound: Bound,
        found: u64,
    },
}

const BOUNDS: [Bound; 4] = [Bound::Memory, Bound::Binary, Bound::Complexity, Bound::Nesting];

const CODE: u8 = 0;
const INVALID: u8 = 1;
/// The first of the bounds.
const BEYOND: u8 = 2;

impl WorkerAnswer {
    pub fn bytes(self) -> Vec<u8> {
        // The tag comes last: the code is large, and must not be moved.
        let (mut bytes, tag) = match self {
            Self::Code(code) => (code, CODE),
            Self::Invalid(why) => (why.into_bytes(), INVALID),
            Self::Beyond { bound, found } => (found.to_le_bytes().into(), BEYOND + bound as u8),
        };
        bytes.push(tag);
        bytes
    }

    pub fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        match bytes.pop()? {
            CODE => Some(Self::Code(bytes)),
            INVALID => Some(Self::Invalid(String::from_utf8_lossy(&bytes).into_owned())),
            tag => {
                let bound = *BOUNDS.get(usize::from(tag - BEYOND))?;
                Some(Self::Beyond { bound, found: u64::from_le_bytes(bytes.try_into().ok()?) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let bounds =
            CompileBounds { time: Duration::from_millis(1500), memory: u64::MAX, binary: 1, complexity: 2, nesting: 3 };
        for engine in [EngineKind::Plain, EngineKind::Concurrent] {
            let request = Request { engine, bounds };
            assert_eq!(Request::parse(request.arguments().iter().map(String::as_str)), Some(request));
        }
        for wrong in ["", "plain", "plain 1 2 3 4", "plain 1 2 3 4 5 6", "fast 1 2 3 4 5", "plain 1 2 3 4 x"] {
            assert_eq!(Request::parse(wrong.split(' ')), None, "{wrong}");
        }
        let answers = || {
            let beyond = BOUNDS.map(|bound| WorkerAnswer::Beyond { bound, found: 7 });
            [WorkerAnswer::Code(b"elf".into()), WorkerAnswer::Invalid("no".into())].into_iter().chain(beyond)
        };
        for (said, expected) in answers().zip(answers()) {
            assert_eq!(WorkerAnswer::parse(said.bytes()), Some(expected));
        }
        assert_eq!(
            [WorkerAnswer::parse(Vec::new()), WorkerAnswer::parse(vec![9]), WorkerAnswer::parse(vec![1, 2])],
            [None, None, None]
        );
    }
}
