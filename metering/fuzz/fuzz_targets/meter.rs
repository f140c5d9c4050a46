//! Fuzzes `nebula_metering::fuzzing::meter`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nebula_metering::fuzzing::meter(bytes));
