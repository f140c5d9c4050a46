//! The table in which a room declares its options.

/// Declares a struct of settings, in which every field is an option of `nebula serve`:
///
/// ```text
/// /// What help says about the option
/// field: Type => "its.key", PLACEHOLDER = "default", read;
/// ```
///
/// `read` makes the field's value of what the user wrote, or says what is wrong with it. An option without a default may be
/// absent: then its field is `None`, or what follows `or`. `..field: Table;` at the end adds the options of another such
/// struct.
///
/// The struct gets two functions: `options` lists the options for help, `read` reads them with a
/// [`Checker`](super::Checker).
macro_rules! options {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $type:ty =>
                    $key:literal, $value:ident $(= $default:literal)?, $read:expr $(, or $absent:expr)?;
            )*
            $(..$nested:ident: $table:ty;)*
        }
    ) => {
        $(#[$attribute])*
        #[allow(rustdoc::bare_urls, reason = "help shows the text as it is")]
        pub struct $name {
            $($(#[doc = $help])+ pub $field: $type,)*
            $(pub $nested: $table,)*
        }

        impl $name {
            #[must_use]
            pub fn options() -> Vec<$crate::settings::Setting> {
                let own = vec![$($crate::settings::Setting {
                    key: $key,
                    value: stringify!($value),
                    default: $crate::settings::options!(@default $($default)?),
                    help: concat!($($help),+).trim_ascii_start(),
                }),*];
                [own, $(<$table>::options()),*].concat()
            }

            pub fn read(check: &mut $crate::settings::Checker<'_>) -> Self {
                Self {
                    $($field: $crate::settings::options!(@read check, $key, $read $(, default $default)? $(, or $absent)?),)*
                    $($nested: <$table>::read(check),)*
                }
            }
        }
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@read $check:ident, $key:literal, $read:expr) => { $check.optional($key, $read) };
    (@read $check:ident, $key:literal, $read:expr, default $default:literal) => { $check.parse($key, $read) };
    (@read $check:ident, $key:literal, $read:expr, or $absent:expr) => {
        $check.optional($key, $read).unwrap_or_else(|| $absent)
    };
}

pub(crate) use options;
