//! The steps of a story (see package story) with the AWS SDK for Rust: story
//! FILE. Calls of the SDK by name are written by build.rs.
#![allow(deprecated)] // as the SDK calls all of Proton

use aws_sdk_proton::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_proton::{self as proton, Client, types};
use aws_sdk_s3::primitives::ByteStream;
use proton::client::Waiters;
use proton::config::retry::RetryConfig;
use proton::config::timeout::TimeoutConfig;
use proton::config::{AsyncSleep, Credentials, SharedAsyncSleep, Sleep};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::{Duration, Instant};

include!(concat!(env!("OUT_DIR"), "/operations.rs"));

type Problem = Option<String>;

/// What a call was refused with.
pub struct Refusal {
    code: String,
    message: String,
    modelled: bool, // it has a type of its own
    status: u16,
}

/// Why a waiter gave up.
pub enum Failure {
    State,
    Other(String),
}

/// A value of the SDK made of JSON.
trait Given: Sized {
    fn given(v: &Value) -> Self;
}

impl Given for String {
    fn given(v: &Value) -> Self {
        v.as_str().expect("a text").to_string()
    }
}
impl Given for i32 {
    fn given(v: &Value) -> Self {
        v.as_i64().expect("a number").try_into().expect("a small number")
    }
}
impl Given for bool {
    fn given(v: &Value) -> Self {
        v.as_bool().expect("true or false")
    }
}
impl<T: Given> Given for Vec<T> {
    fn given(v: &Value) -> Self {
        v.as_array().expect("a list").iter().map(T::given).collect()
    }
}
impl<T: Given> Given for Option<T> {
    fn given(v: &Value) -> Self {
        if v.is_null() { None } else { Some(T::given(v)) }
    }
}

/// A value of the SDK as JSON; what is not set is null.
trait Plain {
    fn plain(&self) -> Value;
}

impl Plain for str {
    fn plain(&self) -> Value {
        self.into()
    }
}
impl Plain for String {
    fn plain(&self) -> Value {
        self.as_str().into()
    }
}
impl Plain for i32 {
    fn plain(&self) -> Value {
        (*self).into()
    }
}
impl Plain for bool {
    fn plain(&self) -> Value {
        (*self).into()
    }
}
impl Plain for proton::primitives::DateTime {
    fn plain(&self) -> Value {
        self.as_secs_f64().into()
    }
}
impl<T: Plain + ?Sized> Plain for &T {
    fn plain(&self) -> Value {
        (**self).plain()
    }
}
impl<T: Plain> Plain for Option<T> {
    fn plain(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::plain)
    }
}
impl<T: Plain> Plain for [T] {
    fn plain(&self) -> Value {
        self.iter().map(T::plain).collect()
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_string(), v)).collect())
}

fn known(v: &Value, members: &[&str]) {
    for name in v.as_object().expect("an object").keys() {
        assert!(members.contains(&name.as_str()), "the SDK has no member {name}");
    }
}

fn answer<O: Plain, E>(result: Result<O, SdkError<E>>) -> Result<Value, Refusal>
where
    proton::Error: From<SdkError<E>>,
{
    result.map(|out| out.plain()).map_err(|e| {
        let status = e.raw_response().map_or(0, |r| r.status().as_u16());
        let e = proton::Error::from(e);
        Refusal {
            code: e.code().unwrap_or("no answer").to_string(),
            message: e.message().map_or_else(|| DisplayErrorContext(&e).to_string(), str::to_string),
            modelled: !matches!(e, proton::Error::Unhandled(_)),
            status,
        }
    })
}

fn waited<T, E: std::fmt::Debug>(result: Result<T, E>) -> Result<(), Failure> {
    match result.map_err(|e| format!("{e:?}")) {
        Ok(_) => Ok(()),
        Err(e) if e.starts_with("FailureState") => Err(Failure::State),
        Err(e) => Err(Failure::Other(e)),
    }
}

/// Reads all pages of a paginator.
macro_rules! collect {
    ($paginator:expr) => {{
        let mut stream = $paginator.send();
        let mut all = Vec::new();
        while let Some(page) = stream.next().await {
            all.push(answer(page)?);
        }
        Ok(all)
    }};
}
use collect;

/// Sleeps no longer than a test should.
#[derive(Debug)]
struct Impatient;

impl AsyncSleep for Impatient {
    fn sleep(&self, time: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(time.min(Duration::from_millis(100))))
    }
}

struct Runner {
    variables: HashMap<String, String>,
    clients: HashMap<String, Client>,
    s3: aws_sdk_s3::Client,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let file = std::env::args().nth(1).expect("story FILE");
    let story: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut runner = Runner::new(&story).await;
    for step in story["steps"].as_array().unwrap() {
        if let Some(problem) = runner.perform(step).await {
            let mut step = step.clone();
            step.as_object_mut().unwrap().remove("content");
            eprintln!("{step}\n{problem}");
            std::process::exit(1);
        }
    }
}

impl Runner {
    async fn new(story: &Value) -> Runner {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http).load().await;
        let text = |v: &Value| v.as_str().unwrap().to_string();
        let clients = story["keys"].as_object().unwrap().iter().map(|(name, key)| {
            let own = proton::config::Builder::from(&config)
                .credentials_provider(Credentials::new(text(&key["id"]), text(&key["secret"]), None, None, "story"))
                .retry_config(RetryConfig::disabled())
                .timeout_config(TimeoutConfig::disabled()) // they would end when the impatient sleep does
                .stalled_stream_protection(proton::config::StalledStreamProtectionConfig::disabled())
                .sleep_impl(SharedAsyncSleep::new(Impatient));
            (name.clone(), Client::from_conf(own.build()))
        });
        let runner = Runner {
            variables: story["variables"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), text(v))).collect(),
            clients: clients.collect(),
            s3: aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build()),
        };
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(runner.variables["region"].as_str().into()).build();
        runner.s3.create_bucket().bucket(&runner.variables["bucket"]).create_bucket_configuration(place).send().await.unwrap();
        runner
    }

    async fn perform(&mut self, step: &Value) -> Problem {
        let input = self.fill(step.get("in").unwrap_or(&Value::Object(Map::new())));
        if let Some(key) = step["put"].as_str() {
            let body = decode(step["content"].as_str().unwrap());
            let put = self.s3.put_object().bucket(&self.variables["bucket"]).key(key).body(ByteStream::from(body));
            return put.send().await.err().map(|e| format!("{e:?}"));
        }
        if let Some(waiter) = step["wait"].as_str() {
            let fails = step["fails"] == true;
            return match wait(&self.clients["root"], waiter, &input, Duration::from_secs(60)).await {
                Ok(()) if fails => Some("the waiter did not fail".into()),
                Err(Failure::State) if !fails => Some("the waiter failed".into()),
                Err(Failure::Other(problem)) => Some(problem),
                _ => None,
            };
        }
        if let Some(operation) = step["pages"].as_str() {
            return self.read_pages(operation, input, step).await;
        }
        let (operation, time) = match step["until"].as_str() {
            Some(operation) => (operation, 60),
            None => (step["call"].as_str().unwrap(), 0),
        };
        let deadline = Instant::now() + Duration::from_secs(time);
        loop {
            let problem = self.attempt(operation, &input, step).await;
            if problem.is_none() || Instant::now() >= deadline {
                return problem;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Calls once and says what is wrong with the outcome.
    async fn attempt(&mut self, operation: &str, input: &Value, step: &Value) -> Problem {
        let client = &self.clients[step["as"].as_str().unwrap_or("root")];
        let out = match call(client, operation, input).await {
            Ok(out) => out,
            Err(r) if Some(r.code.as_str()) != step["refused"].as_str() => return Some(format!("{}: {}", r.code, r.message)),
            Err(r) if r.status != 400 || r.modelled != MODELLED.contains(&(operation, r.code.as_str())) => {
                return Some(format!("{} with {}; it has a type of its own: {}", r.code, r.status, r.modelled));
            }
            Err(r) => {
                let want = self.fill(&step["message"]);
                return (want.is_string() && want != r.message.as_str()).then(|| format!("refused with {}", r.message));
            }
        };
        if !step["refused"].is_null() {
            return Some("it was not refused".into());
        }
        for (name, path) in step["save"].as_object().into_iter().flatten() {
            let found = path.as_str().unwrap().split('.').fold(&out, |v, part| part.parse::<usize>().map_or_else(|_| &v[part], |n| &v[n]));
            self.variables.insert(name.clone(), found.as_str().unwrap_or_else(|| panic!("{path} is not in {out}")).to_string());
        }
        differs(&self.fill(&step["want"]), &out, "answer")
    }

    async fn read_pages(&self, operation: &str, mut input: Value, step: &Value) -> Problem {
        if let Some(size) = step.get("size") {
            input["maxResults"] = size.clone();
        }
        let pages = match pages(&self.clients["root"], operation, &input).await {
            Ok(pages) => pages,
            Err(r) => return Some(format!("{}: {}", r.code, r.message)),
        };
        let (key, name) = (step["key"].as_str().unwrap(), step["name"].as_str().unwrap());
        let got: Value = pages.iter().flat_map(|p| p[key].as_array().unwrap()).map(|item| item[name].clone()).collect();
        differs(&step["want"], &got, "names")
    }

    /// Puts variables in all texts.
    fn fill(&self, v: &Value) -> Value {
        match v {
            Value::String(text) => self.variables.iter().fold(text.clone(), |t, (k, v)| t.replace(&format!("${{{k}}}"), v)).into(),
            Value::Array(list) => list.iter().map(|v| self.fill(v)).collect(),
            Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), self.fill(v))).collect(),
            other => other.clone(),
        }
    }
}

/// Says what of want is not in got.
fn differs(want: &Value, got: &Value, path: &str) -> Problem {
    match (want, got) {
        (Value::Null, _) => None,
        (Value::Object(members), Value::Object(_)) => members.iter().find_map(|(k, v)| differs(v, &got[k], &format!("{path}.{k}"))),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => (0..a.len()).find_map(|n| differs(&a[n], &b[n], &format!("{path}[{n}]"))),
        _ => (want != got).then(|| format!("{path} is {got}, want {want}")),
    }
}

/// Reads base64.
fn decode(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        bits = bits << 6 | DIGITS.iter().position(|d| *d == c).expect("base64") as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}
