//! How functions are compiled: in a process of their own, which is this program again.

use nebula_runtime::{Bound, CompileBounds, CompileError, Compiler};

use super::broken::Broken;
use super::settings::Settings;

/// The command of this program that compiles.
pub const COMPILE_WORKER: &str = "compile-worker";

/// This program, even if its file has been replaced. Source: Linux `proc(5)`.
const THIS_PROGRAM: &str = "/proc/self/exe";

impl Settings {
    /// What compiles functions that do not come with the program.
    pub fn compiler(&self) -> Compiler {
        let deploy = &self.deploy;
        let bounds = CompileBounds {
            time: deploy.time,
            memory: deploy.memory,
            binary: self.module_max,
            complexity: deploy.complexity,
            nesting: deploy.nesting,
        };
        Compiler { program: THIS_PROGRAM.into(), arguments: vec![COMPILE_WORKER.into()], bounds }
    }

    /// The failure of a compilation, with the option that bounds it.
    pub(super) fn not_compiled(&self, error: CompileError) -> Broken {
        let beyond = |what: String, option, max| Broken::Beyond { what, option, max };
        match error {
            CompileError::TooSlow(time) => Broken::TooSlow(time),
            CompileError::Beyond { bound, found } => match bound {
                Bound::Memory => beyond("takes more memory to compile".into(), "deploy.memory", self.deploy.memory),
                Bound::Binary => {
                    beyond(format!("is a text of {found} bytes of binary"), "limits.module", self.module_max)
                }
                Bound::Complexity => beyond(
                    format!("has a function of complexity {found}, too many locals or blocks"),
                    "deploy.complexity",
                    self.deploy.complexity,
                ),
                Bound::Nesting => {
                    beyond(format!("has components nested {found} deep"), "deploy.nesting", self.deploy.nesting)
                }
            },
            error => Broken::Compile(error),
        }
    }
}
