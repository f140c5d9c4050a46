//! `/functions`: lists what is served, and changes it.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION};
use hyper::{HeaderMap, Method, StatusCode};
use nebula_api::functions::{self as api, BrokenFile, FunctionDetails, Functions, KeptVersion, Versions};
use nebula_metering::Joules;
use nebula_runtime::{Directory, shortened};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use crate::functions::{
    Condition, DeployError, Deployed, Deployer, Function, FunctionName, MANIFEST_BYTES_MAX, Manifest, Origin, Registry,
    Reuse, Upload, Version,
};
use crate::http::access::Visitor;
use crate::http::answer::costs::micros;
use crate::http::answer::energy::WITHHELD;
use crate::http::answer::exposure::Exposure;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, answer, json};
use crate::http::read::quota;
use crate::http::read::upload::{boundary, manifest_text, read_form};
use crate::http::request::body::Bodies;
use crate::http::request::query::{unknown_parameter, variables};
use crate::http::route::{Endpoint, Route};
use crate::http::{Request, Response};
use crate::meter::Metering;
use crate::settings::{shown_duration, shown_size};
use nebula_runtime::Found;

/// Room for boundaries and headers around the parts of a form.
const FORM_BYTES_MAX: usize = 64 << 10;

/// Lists functions and changes them.
pub struct Deployments {
    pub registry: Arc<Registry>,
    pub deployer: Arc<Deployer>,
    pub metering: Metering,
    /// Largest module, in bytes.
    pub module_max: u64,
    pub bodies: Bodies,
}

impl Deployments {
    /// All functions that the visitor may use, and what is wrong with files that are not served.
    pub(crate) fn list(&self, visitor: &Visitor) -> Functions {
        let table = self.registry.table();
        let broken = table.broken.iter().filter(|(name, _)| visitor.may_use(name)).map(|(name, broken)| BrokenFile {
            name: name.to_string(),
            file: broken.path.display().to_string(),
            reason: broken.why.clone(),
            since: broken.since.into(),
            version_served: table.functions.get(name).map(|function| function.version.to_string()),
        });
        let functions = table.functions.values().filter(|function| visitor.may_use(function.name.as_str()));
        Functions { functions: functions.map(|function| describe(function)).collect(), broken: broken.collect() }
    }

    /// Answers requests for one function: to read it, and to change it.
    pub(crate) async fn answer(&self, request: Request, visitor: &Visitor, route: &Route) -> Result<Response, Problem> {
        let (exposure, name) = (visitor.exposure, route.name()?);
        match (route.endpoint, request.method()) {
            (Endpoint::Function, &Method::PUT) => self.put_function(request, exposure, name).await,
            (Endpoint::Function, &Method::DELETE) => self.delete_function(&request, name).await,
            (Endpoint::Manifest, _) => self.put_manifest(request, exposure, name).await,
            (Endpoint::Versions, _) => self.versions(name),
            (Endpoint::Rollback, _) => self.roll_back(&request, exposure, name).await,
            _ => {
                let function = route.function()?;
                Ok(tagged(json(StatusCode::OK, JSON, &self.describe_in_full(function, exposure)), function))
            }
        }
    }

    async fn put_function(&self, request: Request, exposure: Exposure, name: &str) -> Result<Response, Problem> {
        let (name, condition) = (function_name(name)?, condition(request.headers())?);
        let boundary = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).and_then(boundary);
        let body = request.into_body();
        let module_max = usize::try_from(self.module_max).unwrap_or(usize::MAX);
        let (upload, room) = match boundary {
            Some(boundary) => {
                let max = module_max.saturating_add(MANIFEST_BYTES_MAX + FORM_BYTES_MAX);
                let form = self.bodies.read_within(body, max, "limits.module").await?;
                (read_form(form.bytes, &boundary).await?, form.room)
            }
            None => {
                let module = self.bodies.read_within(body, module_max, "limits.module").await?;
                (Upload { module: Some(module.bytes.into()), manifest: None }, module.room)
            }
        };
        if upload.module.as_ref().is_some_and(Vec::is_empty) {
            let why =
                "the request has no module: send it as the body, or in a form with the parts `module` and `manifest`";
            return Err(Problem::BadRequest(why.into()));
        }
        self.deploy(name, upload, room, condition, exposure).await
    }

    async fn put_manifest(&self, request: Request, exposure: Exposure, name: &str) -> Result<Response, Problem> {
        let (name, condition) = (function_name(name)?, condition(request.headers())?);
        let text = self.bodies.read_within(request.into_body(), MANIFEST_BYTES_MAX, "the bound of manifests").await?;
        let manifest = Some(manifest_text(text.bytes.into())?);
        self.deploy(name, Upload { module: None, manifest }, text.room, condition, exposure).await
    }

    async fn deploy(
        &self,
        name: FunctionName,
        upload: Upload,
        room: Option<OwnedSemaphorePermit>,
        condition: Condition,
        exposure: Exposure,
    ) -> Result<Response, Problem> {
        let deploy = async move |deployer: &Deployer| {
            let _room = room;
            deployer.deploy(&name, upload, &condition).await
        };
        Ok(self.deployed(&self.change(deploy).await?, exposure))
    }

    async fn delete_function(&self, request: &Request, name: &str) -> Result<Response, Problem> {
        let (name, condition) = (function_name(name)?, condition(request.headers())?);
        self.change(async move |deployer: &Deployer| deployer.remove(&name, &condition).await).await?;
        let mut response = answer(StatusCode::NO_CONTENT, JSON, "");
        response.headers_mut().remove(CONTENT_TYPE);
        Ok(response)
    }

    async fn roll_back(&self, request: &Request, exposure: Exposure, name: &str) -> Result<Response, Problem> {
        let (name, condition) = (function_name(name)?, condition(request.headers())?);
        let mut to = None;
        for (key, value) in variables(request.uri().query())? {
            match &*key {
                "to" if value.len() >= 4 => to = Some(value),
                "to" => {
                    let why = "`to` must be a version, or four or more of its first digits";
                    return Err(Problem::BadRequest(why.into()));
                }
                _ => return Err(unknown_parameter(&key, "`to` is")),
            }
        }
        let roll_back = async move |deployer: &Deployer| deployer.roll_back(&name, to.as_deref(), &condition).await;
        Ok(self.deployed(&self.change(roll_back).await?, exposure))
    }

    fn versions(&self, name: &str) -> Result<Response, Problem> {
        let name = function_name(name)?;
        let (past, live) = (self.deployer.past(&name)?, self.registry.find(name.as_str()));
        if past.is_empty() && live.is_none() {
            return Err(Problem::UnknownFunction(name.to_string()));
        }
        let live = live.map(|live| live.version);
        let kept = |past: &crate::functions::Past| KeptVersion {
            version: past.version.to_string(),
            deployed: past.deployed.into(),
            size_bytes: past.size,
            served: live == Some(past.version),
        };
        let versions = Versions {
            name: name.to_string(),
            version: live.map(|live| live.to_string()),
            versions: past.iter().rev().map(kept).collect(),
        };
        Ok(json(StatusCode::OK, JSON, &versions))
    }

    /// Makes a change on a thread that may block, and finishes it even if the client goes away.
    async fn change<T: Send + 'static>(
        &self,
        change: impl AsyncFnOnce(&Deployer) -> Result<T, DeployError> + Send + 'static,
    ) -> Result<T, Problem> {
        let (deployer, handle) = (self.deployer.clone(), Handle::current());
        let changed = tokio::task::spawn_blocking(move || handle.block_on(change(&deployer))).await;
        Ok(changed.map_err(|_| Problem::Draining)??)
    }

    fn deployed(&self, deployed: &Deployed, exposure: Exposure) -> Response {
        let status = if deployed.created { StatusCode::CREATED } else { StatusCode::OK };
        let shown = api::Deployed {
            details: self.describe_in_full(&deployed.function, exposure),
            changed: deployed.created || deployed.before.is_some(),
            version_before: deployed.before.map(|before| before.to_string()),
        };
        let mut response = tagged(json(status, JSON, &shown), &deployed.function);
        if deployed.created
            && let Ok(location) = HeaderValue::try_from(format!("/functions/{}", deployed.function.name))
        {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    /// A function with what it is granted, and what it took to prepare it.
    fn describe_in_full(&self, function: &Function, exposure: Exposure) -> FunctionDetails {
        let cold_start = &function.cold_start;
        let (energy_joules, reason): (_, Option<Cow<'static, str>>) = match (cold_start.charge.get(), &cold_start.work)
        {
            _ if !exposure.shows_joules() => (None, Some(WITHHELD.into())),
            (Some(Ok(charge)), _) => (Some(exposure.rounded(charge.active.joules())), None),
            (Some(Err(why)), _) => (None, Some(why.to_string().into())),
            (None, Err(off)) => (None, Some(off.to_string().into())),
            (None, Ok(_)) => (None, Some("the windows in which it was prepared have not closed yet".into())),
        };
        FunctionDetails {
            function: describe(function),
            manifest: manifest(&function.manifest),
            quota: quota::of_function(function, exposure),
            cold_start: api::ColdStart {
                compiled: cold_start.found == Found::Compiled,
                duration_us: micros(cold_start.duration),
                cpu_us: cold_start.work.as_ref().ok().map(|work| micros(work.cpu)),
                energy_joules,
                source: self.metering.source().into(),
                reason,
            },
        }
    }
}

fn describe(function: &Function) -> api::Function {
    let origin = match &function.origin {
        Origin::BuiltIn => "built-in",
        Origin::File(_) => "file",
        Origin::Module(_) => "modules",
    };
    api::Function {
        name: function.name.to_string(),
        version: function.version.to_string(),
        kind: function.program.kind().as_str().into(),
        origin: origin.into(),
        size_bytes: function.size as u64,
        deployed: function.deployed.into(),
        invoke: format!("/invoke/{}", function.name),
        example: function.example.to_owned(),
    }
}

/// A manifest without what may be secret: values of variables, and directories of the host.
fn manifest(manifest: &Manifest) -> api::Manifest {
    let size = |bytes: Option<usize>| bytes.map(|bytes| shown_size(bytes as u64));
    let Manifest { env, args, entry, outbound, network, reuse, priority, routes, directories, limits, quota } =
        manifest;
    let directory =
        |Directory { guest, writable, .. }: &Directory| api::Directory { guest: guest.clone(), writable: *writable };
    api::Manifest {
        env: env.keys().cloned().collect(),
        args: args.clone(),
        entry: entry.clone(),
        outbound: outbound.clone(),
        network: network.clone(),
        reuse: match reuse {
            Reuse::Fresh => "fresh".into(),
            Reuse::Serial => "serial".into(),
        },
        priority: priority.as_str().into(),
        routes: routes.clone(),
        directories: directories.iter().map(directory).collect(),
        limits: api::Limits {
            memory: size(limits.memory),
            wall: limits.wall.map(shown_duration),
            cpu: limits.cpu.map(shown_duration),
            max_joules: limits.max_joules.map(|Joules(joules)| joules),
            output: size(limits.output),
            concurrency: limits.concurrency,
        },
        quota: api::Quota {
            calls_per_second: quota.calls_per_second,
            concurrency: quota.concurrency,
            joules_per_hour: quota.joules_per_hour.map(|Joules(joules)| joules),
        },
    }
}

fn tagged(mut response: Response, function: &Function) -> Response {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", function.version)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn function_name(name: &str) -> Result<FunctionName, Problem> {
    name.parse().map_err(|why: crate::functions::NameError| {
        Problem::BadRequest(format!("`{}` cannot be the name of a function: {why}", shortened(name)))
    })
}

/// What must be served for the change to go ahead. Source: RFC 9110, sections 13.1.1 and 13.1.2.
fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    let wrong = |what: &str| Problem::BadRequest(what.to_owned());
    let text = |value: &HeaderValue| value.to_str().map(str::trim).map(str::to_owned).unwrap_or_default();
    match (headers.get(IF_MATCH).map(text), headers.get(IF_NONE_MATCH).map(text)) {
        (None, None) => Ok(Condition::Any),
        (None, Some(none)) if none == "*" => Ok(Condition::Missing),
        (Some(some), None) if some == "*" => Ok(Condition::Exists),
        (Some(some), None) => {
            let tag = |tag: &str| tag.trim().trim_matches('"').parse::<Version>();
            let versions = some.split(',').map(tag).collect::<Result<_, _>>();
            versions
                .map(Condition::OneOf)
                .map_err(|_| wrong("`If-Match` must be `*`, or versions as `ETag` gives them"))
        }
        (None, Some(_)) => Err(wrong("`If-None-Match` must be `*` here: the function must not exist yet")),
        // No version is served and not served.
        (Some(_), Some(_)) => Ok(Condition::OneOf(Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::functions::Limits;

    #[test]
    fn manifests_are_shown_without_secrets() {
        let secret = BTreeMap::from([("TOKEN".to_owned(), "secret".to_owned())]);
        let limits = Limits {
            memory: Some(64 << 20),
            cpu: Some(std::time::Duration::from_millis(1500)),
            max_joules: Some(Joules(0.5)),
            ..Default::default()
        };
        let directory = Directory { host: "/srv/shared".into(), guest: "/".into(), writable: false, special: false };
        let granted = Manifest { env: secret, limits, directories: vec![directory], ..Manifest::default() };
        assert_eq!(
            serde_json::to_value(manifest(&granted)).unwrap(),
            json!({
                "env": ["TOKEN"], "args": [], "entry": null, "outbound": [], "network": [], "reuse": "fresh", "priority": "normal",
                "routes": [], "directories": [{ "guest": "/", "writable": false }],
                "limits": { "memory": "64MiB", "wall": null, "cpu": "1500ms", "max_joules": 0.5, "output": null,
                            "concurrency": null },
                "quota": { "calls_per_second": null, "concurrency": null, "joules_per_hour": null },
            })
        );
    }

    #[test]
    fn preconditions_are_read_from_if_match_and_if_none_match() {
        let version = Version::of(b"", "");
        let quoted = format!("\"{version}\"");
        let condition = |pairs: &[(hyper::header::HeaderName, &str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::try_from(*value).unwrap()));
            condition(&headers.collect()).ok()
        };
        assert_eq!(condition(&[]), Some(Condition::Any));
        assert_eq!(condition(&[(IF_MATCH, "*")]), Some(Condition::Exists));
        assert_eq!(condition(&[(IF_NONE_MATCH, "*")]), Some(Condition::Missing));
        assert_eq!(condition(&[(IF_MATCH, &quoted)]), Some(Condition::OneOf(vec![version])));
        assert_eq!(condition(&[(IF_MATCH, &format!("{quoted}, {quoted}"))]), Some(Condition::OneOf(vec![version; 2])));
        for (name, value) in [(IF_MATCH, "abc"), (IF_MATCH, "W/\"1\""), (IF_NONE_MATCH, &quoted)] {
            assert_eq!(condition(&[(name, value)]), None, "{value}");
        }
    }
}
