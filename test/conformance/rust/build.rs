//! Writes what the runner of stories needs to call the SDK by an operation's
//! name, which Rust has no reflection for: one call of the SDK for each
//! operation, waiter and paginator of the model, and conversions from and to
//! JSON for their structures.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::{env, fs, path::Path};

const MODEL: &str = "../../../internal/gen/model/proton.json";

fn main() {
    println!("cargo::rerun-if-changed={MODEL}");
    let model: Value = serde_json::from_str(&fs::read_to_string(MODEL).unwrap()).unwrap();
    let mut writer = Writer { model: &model, inputs: BTreeSet::new(), outputs: BTreeSet::new(), text: String::new() };
    writer.all();
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("operations.rs"), writer.text).unwrap();
}

struct Writer<'a> {
    model: &'a Value,
    inputs: BTreeSet<String>,  // structures and enums that inputs have
    outputs: BTreeSet<String>, // and outputs
    text: String,
}

impl Writer<'_> {
    fn all(&mut self) {
        let model = self.model;
        let operations = model["operations"].as_object().unwrap();
        let mut calls = String::new();
        let mut pages = String::new();
        let mut waits = String::new();
        let mut outputs = String::new();
        let mut errors_of = String::new();
        for (name, operation) in operations {
            let (input, output) = (operation["input"].as_str().unwrap(), operation["output"].as_str().unwrap());
            self.collect(input, true);
            self.collect(output, false);
            let (snake, set) = (snake(name), self.setters(input));
            writeln!(calls, "\"{name}\" => {{ {} answer(client.{snake}(){set}.send().await) }}", self.known(input)).unwrap();
            if model["pagination"].get(name).is_some() {
                writeln!(pages, "\"{name}\" => {{ {} collect!(client.{snake}(){set}.into_paginator()) }}", self.known(input)).unwrap();
            }
            let output = format!("proton::operation::{snake}::{name}Output");
            let errors: Vec<String> = operation["errors"].as_array().into_iter().flatten().map(|e| format!("(\"{name}\", {e})")).collect();
            writeln!(errors_of, "{},", errors.join(", ")).unwrap();
            writeln!(outputs, "{}", self.plain(&output, operation["output"].as_str().unwrap())).unwrap();
        }
        for (name, waiter) in model["waiters"].as_object().unwrap() {
            let input = operations[waiter["operation"].as_str().unwrap()]["input"].as_str().unwrap();
            writeln!(waits, "\"{name}\" => waited(client.wait_until_{}(){}.wait(time).await),", snake(name), self.setters(input)).unwrap();
        }
        write!(self.text, "/// The exceptions that an operation models.\nconst MODELLED: &[(&str, &str)] = &[{errors_of}];\n\
            pub async fn call(client: &Client, name: &str, v: &Value) -> Result<Value, Refusal> {{ match name {{ {calls} _ => panic!(\"the SDK has no operation {{name}}\") }} }}\n\
            pub async fn pages(client: &Client, name: &str, v: &Value) -> Result<Vec<Value>, Refusal> {{ match name {{ {pages} _ => panic!(\"the SDK has no paginator of {{name}}\") }} }}\n\
            pub async fn wait(client: &Client, name: &str, v: &Value, time: std::time::Duration) -> Result<(), Failure> {{ match name {{ {waits} _ => panic!(\"the SDK has no waiter {{name}}\") }} }}\n{outputs}").unwrap();
        for name in self.inputs.clone() {
            let text = self.given(&name);
            writeln!(self.text, "{text}").unwrap();
        }
        for name in self.outputs.clone() {
            let text = match self.model["shapes"][&name].get("enum") {
                Some(_) => format!("impl Plain for types::{name} {{ fn plain(&self) -> Value {{ self.as_str().into() }} }}"),
                None => self.plain(&format!("types::{name}"), &name),
            };
            writeln!(self.text, "{text}").unwrap();
        }
    }

    fn members(&self, shape: &str) -> Vec<(String, String)> {
        let members = self.model["shapes"][shape]["members"].as_object();
        members.into_iter().flatten().map(|(name, m)| (name.clone(), m["shape"].as_str().unwrap().to_string())).collect()
    }

    /// Notes the structures and enums that a shape is made of, without itself.
    fn collect(&mut self, shape: &str, input: bool) {
        let shapes = &self.model["shapes"];
        let mut inner: Vec<String> = self.members(shape).into_iter().map(|m| m.1).collect();
        if let Some(element) = shapes[shape]["member"]["shape"].as_str() {
            inner.push(element.to_string());
        }
        for name in inner {
            let set = if input { &mut self.inputs } else { &mut self.outputs };
            let own = shapes[&name]["type"] == "structure" || shapes[&name].get("enum").is_some();
            if !own || set.insert(name.clone()) {
                self.collect(&name, input);
            }
        }
    }

    fn setters(&self, shape: &str) -> String {
        self.members(shape).iter().map(|(m, _)| format!(".set_{}(Given::given(&v[\"{m}\"]))", snake(m))).collect()
    }

    /// Refuses members that the SDK does not have.
    fn known(&self, shape: &str) -> String {
        let names: Vec<String> = self.members(shape).iter().map(|(m, _)| format!("\"{m}\"")).collect();
        format!("known(v, &[{}]);", names.join(", "))
    }

    fn given(&self, name: &str) -> String {
        let shape = &self.model["shapes"][name];
        let body = if shape.get("enum").is_some() {
            format!("types::{name}::from(v.as_str().unwrap())")
        } else if shape["union"] == true {
            let arms: String = self.members(name).iter()
                .map(|(m, _)| format!("if !v[\"{m}\"].is_null() {{ return types::{name}::{}(Given::given(&v[\"{m}\"])); }}", upper(m))).collect();
            format!("{} {arms} panic!(\"{name} is empty\")", self.known(name))
        } else {
            let fallible = if shape["required"].as_array().is_some_and(|r| !r.is_empty()) { ".unwrap()" } else { "" };
            format!("{} types::{name}::builder(){}.build(){fallible}", self.known(name), self.setters(name))
        };
        format!("impl Given for types::{name} {{ fn given(v: &Value) -> Self {{ {body} }} }}")
    }

    fn plain(&self, path: &str, name: &str) -> String {
        let body = if self.model["shapes"][name]["union"] == true {
            let arms: String = self.members(name).iter()
                .map(|(m, _)| format!("if let Ok(inner) = self.as_{}() {{ return object([(\"{m}\", inner.plain())]); }}", snake(m))).collect();
            format!("{arms} panic!(\"{name} is nothing that the SDK knows\")")
        } else {
            let members: Vec<String> = self.members(name).iter()
                .map(|(m, _)| format!("(\"{m}\", self.{}().plain())", if m == "type" { "r#type".to_string() } else { snake(m) })).collect();
            format!("object([{}])", members.join(", "))
        };
        format!("impl Plain for {path} {{ fn plain(&self) -> Value {{ {body} }} }}")
    }
}

fn upper(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (n, c) in name.char_indices() {
        if c.is_uppercase() && n > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
