//! How functions are compiled: in a process of their own, which is this program again.

use nebula_runtime::{Bound, CompileBounds, CompileError, Compiler};

use super::broken::Broken;
use super::settings::Settings;
use crate::settings::shown_size;

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
        let beyond = |what, option| Broken::Beyond { what, option };
        let deploy = &self.deploy;
        match error {
            CompileError::TooSlow(time) => Broken::TooSlow(time),
            CompileError::Beyond { bound, found } => match bound {
                Bound::Memory => {
                    let most = shown_size(deploy.memory);
                    beyond(format!("takes more than {most} of memory to compile"), "deploy.memory")
                }
                Bound::Binary => {
                    let most = shown_size(self.module_max);
                    beyond(format!("is the text of a binary of {found} bytes, more than {most}"), "limits.module")
                }
                Bound::Complexity => {
                    let most = deploy.complexity;
                    let what = format!("has a function with too many locals and blocks: {found}, more than {most}");
                    beyond(what, "deploy.complexity")
                }
                Bound::Nesting => {
                    let most = deploy.nesting;
                    beyond(format!("has components nested {found} deep, more than {most}"), "deploy.nesting")
                }
            },
            error => Broken::Compile(error),
        }
    }
}
