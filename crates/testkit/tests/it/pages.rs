//! The pages for people tell the truth about the tree: folders, files, links, decisions.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders that hold no pages of ours.
const NOT_OURS: [&str; 4] = ["target", ".git", ".dev", "node_modules"];

/// What is a file if it stands in backticks with a slash and ends so.
const FILES: [&str; 9] = [".rs", ".md", ".sql", ".sh", ".lua", ".toml", ".yml", ".snap", "/"];

#[test]
fn the_code_map_names_every_workspace_member() {
    let page = read("ARCHITECTURE.md");
    let map = section(&page, "## Code map");
    let named: BTreeSet<&str> = in_backticks(map).collect();
    let missing: Vec<String> =
        members().iter().map(|member| format!("{member}/")).filter(|folder| !named.contains(folder.as_str())).collect();
    assert!(missing.is_empty(), "the code map does not name {missing:?}");
}

#[test]
fn no_page_names_a_file_or_folder_that_is_not_there() {
    let mut wrong = Vec::new();
    for name in ["ARCHITECTURE.md", "README.md", "notes.md"] {
        let page = read(name);
        let paths = in_backticks(&page).filter(|text| is_path(text)).collect::<Vec<_>>();
        wrong
            .extend(paths.into_iter().filter(|path| !root().join(path).exists()).map(|path| format!("{name}: {path}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page can be read");
        let folder = page.parent().expect("a page is in a folder");
        for target in links(&text) {
            seen += 1;
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !folder.join(file).exists() {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(seen > 0, "no page has a link: they are not recognised");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn decisions_are_numbered_without_gaps_and_say_why_what_and_what_follows() {
    let mut decisions: Vec<PathBuf> = entries(&root().join("docs/adr"));
    decisions.sort();
    assert!(!decisions.is_empty());
    for (number, path) in (1..).zip(&decisions) {
        let name = path.file_name().expect("an entry has a name").to_string_lossy();
        assert!(name.starts_with(&format!("{number:04}-")) && name.ends_with(".md"), "{name} is not number {number}");
        let text = fs::read_to_string(path).expect("a decision can be read");
        assert!(text.starts_with(&format!("# {number}. ")), "{name} does not begin with its number and title");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, ["## Context", "## Decision", "## Consequences"], "{name}");
    }
}

#[test]
fn programs_never_depend_on_each_other() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    let names = |package: &Value| package["name"].as_str().expect("a package has a name").to_owned();
    let is_linked = |package: &Value| {
        let manifest = package["manifest_path"].as_str().expect("a package has a manifest");
        Path::new(manifest).starts_with(root().join("crates"))
    };
    let programs: BTreeSet<String> = packages.iter().filter(|package| !is_linked(package)).map(names).collect();
    assert!(programs.contains("producer") && programs.contains("consumer"), "{programs:?}");
    for package in packages {
        let dependencies = package["dependencies"].as_array().expect("a package has dependencies");
        let wrong: Vec<String> = dependencies.iter().map(names).filter(|name| programs.contains(name)).collect();
        assert!(wrong.is_empty(), "{} depends on the programs {wrong:?}", names(package));
    }
}

#[test]
fn every_variable_of_the_example_is_read_somewhere() {
    let readers = [
        "deploy/native",
        "producer/src",
        "consumer/src",
        "services",
        "cli/src",
        "crates/service/src",
        "crates/client/src",
    ];
    let mut text = read("docker-compose.yml") + &read("dev") + &read("producer/sqlx.toml");
    for file in readers.iter().flat_map(|folder| files_below(root().join(folder))) {
        text += &fs::read_to_string(file).expect("what is in these folders is text");
    }
    // clap makes a variable's name of the field's.
    let is_read = |variable: &String| text.contains(variable.as_str()) || text.contains(&variable.to_lowercase());
    let unread: Vec<_> = testkit::env_example().into_iter().filter(|variable| !is_read(variable)).collect();
    assert!(unread.is_empty(), "in .env.example, and read by nothing: {unread:?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

/// The folders of the workspace's members, relative to its root.
fn members() -> Vec<String> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    let folder = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a package has a manifest"));
        let folder = manifest.parent().expect("a manifest is in a folder").strip_prefix(root());
        folder.expect("a member is in the workspace").to_string_lossy().into_owned()
    };
    packages.iter().map(folder).collect()
}

/// From a heading to the next one of its level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let from = page.find(heading).unwrap_or_else(|| panic!("there is no `{heading}`"));
    let rest = &page[from + heading.len()..];
    rest.find("\n## ").map_or(rest, |end| &rest[..end])
}

/// What stands in single backticks, line by line, outside of blocks of code.
fn in_backticks(page: &str) -> impl Iterator<Item = &str> {
    outside_of_code(page).flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn outside_of_code(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// A route such as `/records/` begins with a slash; a path in this tree does not.
fn is_path(text: &str) -> bool {
    !text.starts_with('/')
        && text.contains('/')
        && !text.contains([' ', '*', '{', '<', ':'])
        && FILES.iter().any(|end| text.ends_with(end))
}

/// The targets of `[text](target)` that are in this tree.
fn links(page: &str) -> Vec<String> {
    let targets = outside_of_code(page).flat_map(|line| line.split("](").skip(1));
    let inside = targets.filter_map(|rest| rest.split([')', ' ']).next());
    inside.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).map(str::to_owned).collect()
}

/// Every page of the tree.
fn pages() -> Vec<PathBuf> {
    files_below(root()).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "md")).collect()
}

/// Every file in a folder and those in it, without what is not ours.
fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut folders = vec![folder];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder) {
            let name = entry.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            if entry.is_symlink() || NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            if entry.is_dir() { folders.push(entry) } else { files.push(entry) }
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("a folder can be read").path()).collect()
}
