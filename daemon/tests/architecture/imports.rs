//! Reads which file of a crate names things of which other file.
//!
//! A path is followed to the file that defines what it names: through `crate`, `super` and `self`, through imports, and
//! through the re-exports of a `mod.rs`, which are no imports themselves. What stands under `#[cfg(test)]` does
//! not count. Two things are not seen: methods that are called on a value whose type is never named,
//! and what a macro builds out of pieces.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, UseTree, Visibility};

/// Files and what they name of one another; both by their paths below the crate's `src`.
pub type Imports = BTreeMap<(String, String), BTreeSet<String>>;

/// A crate of the workspace.
pub struct Crate {
    pub name: String,
    pub files: Vec<String>,
    /// Within the crate.
    pub imports: Imports,
    /// The `pub` types and traits: their names, and the files that define them.
    pub types: BTreeMap<String, BTreeSet<String>>,
}

/// Reads the library (or else the program) of every member of the workspace at `root`.
pub fn read(root: &Path) -> Vec<Crate> {
    let manifest = toml_of(&root.join("Cargo.toml"));
    let members = manifest["workspace"]["members"].as_array().expect("`members` is a list");
    members.iter().map(|member| read_crate(root, member.as_str().expect("a member is a path"))).collect()
}

fn toml_of(path: &Path) -> toml::Table {
    text_of(path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_crate(root: &Path, member: &str) -> Crate {
    let name = toml_of(&root.join(member).join("Cargo.toml"))["package"]["name"].as_str().expect("a name").to_owned();
    let absolute = root.join(member).join("src");
    let top = ["lib.rs", "main.rs"].map(|file| absolute.join(file)).into_iter().find(|file| file.exists());
    let top = top.unwrap_or_else(|| panic!("{}: neither lib.rs nor main.rs", absolute.display()));
    let mut modules = Modules::default();
    modules.read_file(&top, None);
    let short = |file: &Path| file.strip_prefix(&absolute).unwrap_or(file).display().to_string();
    let mut types = BTreeMap::<_, BTreeSet<_>>::new();
    for (name, file) in &modules.types {
        types.entry(name.clone()).or_default().insert(short(file));
    }
    let mut imports = Imports::new();
    for (from, path) in &modules.paths {
        let Some(Target::Item(to)) = modules.resolve(*from, path, 0) else { continue };
        let (from, to) = (&modules.all[*from].file, &modules.all[to].file);
        if from != to {
            imports.entry((short(from), short(to))).or_default().insert(path.last().cloned().unwrap_or_default());
        }
    }
    let files: BTreeSet<_> = modules.all.iter().map(|module| short(&module.file)).collect();
    Crate { name, files: files.into_iter().collect(), imports, types }
}

/// The modules of a crate, and every path that stands in them.
#[derive(Default)]
struct Modules {
    all: Vec<Module>,
    paths: Vec<(usize, Vec<String>)>,
    types: Vec<(String, PathBuf)>,
}

struct Module {
    file: PathBuf,
    parent: Option<usize>,
    names: HashMap<String, Name>,
    globs: Vec<Vec<String>>,
}

#[derive(Clone)]
enum Name {
    Module(usize),
    Defined,
    Imported(Vec<String>),
}

enum Target {
    Module(usize),
    /// An item of this module.
    Item(usize),
}

/// Imports of imports end here: the longest chain of a sane crate is far shorter.
const DEPTH: usize = 16;

impl Modules {
    fn read_file(&mut self, file: &Path, parent: Option<usize>) -> usize {
        let items = syn::parse_file(&text_of(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items;
        let folder = file.parent().expect("a file has a folder");
        let stem = file.file_stem().unwrap_or_default();
        let is_root = ["mod", "lib", "main"].iter().any(|root| stem == *root);
        let children = if is_root { folder.to_path_buf() } else { folder.join(stem) };
        self.read_module(items, file, &children, parent)
    }

    fn read_module(&mut self, items: Vec<Item>, file: &Path, children: &Path, parent: Option<usize>) -> usize {
        let here = self.all.len();
        self.all.push(Module { file: file.to_path_buf(), parent, names: HashMap::new(), globs: Vec::new() });
        for item in items {
            if attributes(&item).iter().any(is_for_tests) {
                continue;
            }
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let child = self.read_child(module, file, children, here);
                    self.all[here].names.insert(name, Name::Module(child));
                }
                item => Reader { modules: self, here }.visit_item(&item),
            }
        }
        here
    }

    fn read_child(&mut self, module: ItemMod, file: &Path, children: &Path, here: usize) -> usize {
        let name = module.ident.to_string();
        if let Some((_, items)) = module.content {
            return self.read_module(items, file, &children.join(&name), Some(here));
        }
        let places = [children.join(format!("{name}.rs")), children.join(&name).join("mod.rs")];
        let found = places.into_iter().find(|file| file.exists());
        self.read_file(&found.unwrap_or_else(|| panic!("{}: `mod {name}` has no file", file.display())), Some(here))
    }

    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        if depth > DEPTH {
            return None;
        }
        match first.as_str() {
            "crate" => self.follow(0, rest, depth),
            "self" => self.follow(from, rest, depth),
            "super" => {
                let parent = self.all[from].parent?;
                if rest.first().is_some_and(|next| next == "super") {
                    self.resolve(parent, rest, depth)
                } else {
                    self.follow(parent, rest, depth)
                }
            }
            _ => match self.lookup(from, first, depth)? {
                Target::Module(module) => self.follow(module, rest, depth),
                item @ Target::Item(_) => Some(item),
            },
        }
    }

    fn follow(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        let Some((first, rest)) = path.split_first() else { return Some(Target::Module(module)) };
        match self.lookup(module, first, depth) {
            Some(Target::Module(next)) => self.follow(next, rest, depth),
            Some(item) => Some(item),
            // Made by a macro, most likely.
            None if !self.all[module].names.contains_key(first) => Some(Target::Item(module)),
            None => None,
        }
    }

    fn lookup(&self, module: usize, name: &str, depth: usize) -> Option<Target> {
        match self.all[module].names.get(name) {
            Some(Name::Module(child)) => Some(Target::Module(*child)),
            Some(Name::Defined) => Some(Target::Item(module)),
            Some(Name::Imported(path)) => self.resolve(module, path, depth + 1),
            None => self.all[module].globs.iter().find_map(|path| {
                let Some(Target::Module(other)) = self.resolve(module, path, depth + 1) else { return None };
                (other != module).then(|| self.lookup(other, name, depth + 1)).flatten()
            }),
        }
    }
}

/// Notes what one item of a module defines, imports and names.
struct Reader<'a> {
    modules: &'a mut Modules,
    here: usize,
}

impl Reader<'_> {
    /// Notes the name of an item, and the type or trait that it makes public.
    fn defines(&mut self, item: &Item) {
        let (name, visibility) = match item {
            Item::Enum(item) => (&item.ident, Some(&item.vis)),
            Item::Struct(item) => (&item.ident, Some(&item.vis)),
            Item::Trait(item) => (&item.ident, Some(&item.vis)),
            Item::Type(item) => (&item.ident, Some(&item.vis)),
            Item::Const(item) => (&item.ident, None),
            Item::Fn(item) => (&item.sig.ident, None),
            Item::Static(item) => (&item.ident, None),
            _ => return,
        };
        let module = &mut self.modules.all[self.here];
        module.names.insert(name.to_string(), Name::Defined);
        if matches!(visibility, Some(Visibility::Public(_))) {
            self.modules.types.push((name.to_string(), module.file.clone()));
        }
    }

    fn names(&mut self, path: Vec<String>) {
        self.modules.paths.push((self.here, path));
    }

    fn imports(&mut self, tree: &UseTree, mut before: Vec<String>, is_private: bool) {
        let (path, alias) = match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                return self.imports(&path.tree, before, is_private);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.imports(tree, before.clone(), is_private));
            }
            UseTree::Glob(_) => return self.modules.all[self.here].globs.push(before),
            UseTree::Name(name) if name.ident == "self" => {
                let alias = before.last().cloned().unwrap_or_default();
                (before, alias)
            }
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                (before, name.ident.to_string())
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    before.push(rename.ident.to_string());
                }
                (before, rename.rename.to_string())
            }
        };
        if is_private {
            self.names(path.clone());
        }
        // `use x;` would lead to itself.
        if path[..] != [alias.clone()] {
            self.modules.all[self.here].names.entry(alias).or_insert(Name::Imported(path));
        }
    }

    /// The paths in what is handed to a macro: `a::b`, and single names that begin with a capital.
    fn names_in(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.ends(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.ends(&mut path);
                    self.names_in(group.stream());
                }
                _ => self.ends(&mut path),
            }
        }
        self.ends(&mut path);
    }

    fn ends(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 || path.first().is_some_and(|name| name.starts_with(char::is_uppercase)) {
            self.names(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.imports(&item.tree, Vec::new(), matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item(&mut self, item: &'ast Item) {
        self.defines(item);
        visit::visit_item(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.names(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.names_in(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
    let words = list.tokens.to_string();
    let says = |word| words.split(|mark: char| !mark.is_alphanumeric()).any(|part| part == word);
    list.path.is_ident("cfg") && !says("not") && says("test")
}
