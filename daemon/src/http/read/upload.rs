//! Forms with a function: its module and its manifest.

use crate::functions::{MANIFEST_BYTES_MAX, Upload};
use crate::http::answer::problem::Problem;
use crate::http::request::body;

/// The boundary, if this is the type of a form.
pub fn boundary(content_type: &str) -> Option<String> {
    // The parts of `multipart/mixed` are separated in the same way. Source: RFC 7578 and RFC 2046, section 5.1.
    let form = content_type.replacen("multipart/mixed", "multipart/form-data", 1);
    multer::parse_boundary(form).ok()
}

/// The parts `module` and `manifest`. A part without a name is the module, or the manifest if there is a module already.
pub async fn read_form(form: bytes::Bytes, boundary: &str) -> Result<Upload, Problem> {
    let mut upload = Upload::default();
    for (name, content) in body::parts(form, boundary).await? {
        let is_module = match name.as_deref() {
            Some("module") => true,
            Some("manifest") => false,
            Some(other) => {
                let why = format!("the form has a part `{other}`; its parts are `module` and `manifest`");
                return Err(Problem::BadRequest(why));
            }
            None => upload.module.is_none(),
        };
        let bytes = content.into();
        let twice = if is_module {
            upload.module.replace(bytes).is_some()
        } else {
            upload.manifest.replace(manifest_text(bytes)?).is_some()
        };
        if twice {
            return Err(Problem::BadRequest("the form has a part twice".into()));
        }
    }
    if upload.module.is_none() && upload.manifest.is_none() {
        return Err(Problem::BadRequest("the form has neither a part `module` nor a part `manifest`".into()));
    }
    Ok(upload)
}

pub fn manifest_text(bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.len() > MANIFEST_BYTES_MAX {
        return Err(Problem::BadRequest(format!("the manifest has more than {MANIFEST_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Problem::BadRequest("the manifest is not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_form_has_a_module_and_a_manifest() {
        let form = |parts: &[(&str, &str)]| {
            let part = |(name, body): &(&str, &str)| {
                format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{body}\r\n")
            };
            bytes::Bytes::from(parts.iter().map(part).collect::<String>() + "--b--\r\n")
        };
        let boundary = boundary("multipart/mixed; boundary=b").unwrap();
        let upload = read_form(form(&[("manifest", "a"), ("module", "b")]), &boundary).await.unwrap();
        assert_eq!((upload.module.as_deref(), upload.manifest.as_deref()), (Some(&b"b"[..]), Some("a")));
        for bad in [&[][..], &[("module", "a"), ("module", "b")], &[("file", "a")]] {
            assert!(read_form(form(bad), &boundary).await.is_err(), "{bad:?}");
        }
        assert!(super::boundary("application/wasm").is_none());
    }
}
