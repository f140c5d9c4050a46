//! Fuzzes `nebula_metering::fuzzing::work`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nebula_metering::fuzzing::work(bytes));
