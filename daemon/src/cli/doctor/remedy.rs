//! What several checks need to suggest a fix.

use nebula_metering::source::model::cpu::{Processor, Signature};

pub const NO_PROCFS: &str = "mount procfs, or pass its location with --procfs-root";

/// Whether a processor may have RAPL: any that is not known to be of another architecture.
pub fn is_x86(processor: &Processor) -> bool {
    match &processor.signature {
        Some(Signature::X86 { .. }) => true,
        Some(Signature::Arm { .. }) => false,
        None => cfg!(any(target_arch = "x86_64", target_arch = "x86")),
    }
}

/// The path of this program, quoted for a shell.
pub fn program() -> String {
    let plain = |path: &str| path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    match std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok()) {
        Some(path) if plain(&path) => path,
        Some(path) => format!("'{}'", path.replace('\'', r"'\''")),
        None => r#""$(command -v nebula)""#.into(),
    }
}
