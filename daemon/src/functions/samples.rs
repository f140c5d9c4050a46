//! The built-in functions. Their sources are in the folder `functions` of the repository, beside the binaries.

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub wasm: &'static [u8],
    /// An input that shows what it does.
    pub example: &'static str,
}

macro_rules! samples {
    ($($name:literal $example:literal)*) => {
        &[$(Sample {
            name: $name,
            wasm: include_bytes!(concat!("../../../functions/dist/", $name, ".wasm")),
            example: $example,
        },)* Sample { name: "answer", wasm: include_bytes!("../../../functions/answer.wat"), example: "" }]
    };
}

pub const SAMPLES: &[Sample] = samples! {
    "add" "2,3"
    "echo" "Hello, joules!"
    "estimate-pi" "1000000"
    "exponential" "1"
    "factorial" "35"
    "fibonacci" "10"
    "fibonacci-recursive" "30"
    "fibonacci-recursive-assemblyscript" "30"
    "fibonacci-recursive-c" "30"
    "fibonacci-recursive-cpp" "30"
    "fibonacci-recursive-zig" "30"
    "hello-component" ""
    "hello-http" ""
    "hello-service" ""
    "hello-world" ""
    "hello-world-assemblyscript" ""
    "hello-world-c" ""
    "http-echo" "any bytes"
    "option-pricing" "100,105,0.03,0.2,1,200000"
    "prime-number" "600"
    "sudoku" "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
};
