//! Reads from Rust source which callbacks it implements. What it cannot read with certainty it refuses: a
//! callback that was pruned by mistake would be a filter that silently does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::{Callbacks, LIFE, exports_answering, exports_of, is_callback, is_sdk_trait, named};

/// Why the callbacks of a source file cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// The file or folder could not be read.
    #[error("reading {}", path.display())]
    Unread {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// The file is no Rust.
    #[error("{}: not Rust as ship reads it: {message} (rustc will say where)", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        message: String,
    },
    /// A trait has a callback method that the table lacks.
    #[error("{}: `{owner}::{method}` is no callback known to ship, add it to the table in ship/src/callback.rs", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The SDK's trait.
        owner: String,
        /// Its method.
        method: String,
    },
    /// A function is exported as a callback that the table lacks.
    #[error("{}: `{export}` is no callback known to ship, add it to the table in ship/src/callback.rs", path.display())]
    UnknownExport {
        /// The file.
        path: PathBuf,
        /// The name it is exported under.
        export: String,
    },
    /// A macro writes a callback method, so nobody can tell of which trait.
    #[error("{}: `{method}` stands inside a macro, where ship cannot tell what it implements, write it outside of one", path.display())]
    InMacro {
        /// The file.
        path: PathBuf,
        /// The method that was seen.
        method: String,
    },
}

/// The callbacks that the Rust files under `folders` implement, and, where they use the SDK, those that it needs.
///
/// # Errors
///
/// [`Unclear`], naming the first file that is.
pub fn implemented_in<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Result<Callbacks, Unclear> {
    let mut callbacks = Callbacks::none();
    for folder in folders {
        for path in rust_files(folder)? {
            let text = fs::read_to_string(&path).map_err(|source| unread(&path, source))?;
            add(&text, &path, &mut callbacks)?;
        }
    }
    Ok(callbacks)
}

fn unread(path: &Path, source: io::Error) -> Unclear {
    Unclear::Unread { path: path.to_owned(), source }
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Unclear> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| unread(folder, source))? {
        let path = entry.map_err(|source| unread(folder, source))?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    // For the same complaint on every machine.
    files.sort();
    Ok(files)
}

fn add(text: &str, path: &Path, callbacks: &mut Callbacks) -> Result<(), Unclear> {
    let file = syn::parse_file(text)
        .map_err(|error| Unclear::Syntax { path: path.to_owned(), message: error.to_string() })?;
    let mut renames = Renames::default();
    renames.visit_file(&file);
    let mut reader = Reader { path, renames, callbacks, unclear: None };
    reader.visit_file(&file);
    reader.unclear.map_or(Ok(()), Err)
}

/// What a file calls the SDK's traits: `use proxy_wasm::traits::HttpContext as Http`.
#[derive(Default)]
struct Renames(BTreeMap<String, String>);

impl Visit<'_> for Renames {
    fn visit_use_rename(&mut self, item: &syn::UseRename) {
        self.0.insert(item.rename.to_string(), item.ident.to_string());
    }
}

struct Reader<'a> {
    path: &'a Path,
    renames: Renames,
    callbacks: &'a mut Callbacks,
    unclear: Option<Unclear>,
}

impl Reader<'_> {
    fn implementation(&mut self, name_of_trait: &str, item: &syn::ItemImpl) {
        for member in &item.items {
            let syn::ImplItem::Fn(method) = member else { continue };
            let method = method.sig.ident.to_string();
            match exports_of(name_of_trait, &method) {
                Some(exports) => self.callbacks.keep(exports),
                None if method.starts_with("on_") => self.give_up(Unclear::Unknown {
                    path: self.path.to_owned(),
                    owner: name_of_trait.to_owned(),
                    method,
                }),
                // `create_http_context` and the like are called by the SDK, not by the host.
                None => {}
            }
        }
    }

    fn macro_tokens(&mut self, tokens: TokenStream) {
        let mut after_fn = false;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    if after_fn && (word.starts_with("on_") || is_callback(&word)) {
                        let path = self.path.to_owned();
                        self.give_up(Unclear::InMacro { path, method: word });
                        return;
                    }
                    self.word(&word);
                    after_fn = word == "fn";
                }
                TokenTree::Group(group) => {
                    self.macro_tokens(group.stream());
                    after_fn = false;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => after_fn = false,
            }
        }
    }

    fn function(&mut self, name: &str, attributes: &[syn::Attribute]) {
        if let Some(export) = exported_as(name, attributes) {
            self.export(export);
        }
    }

    fn export(&mut self, export: String) {
        if !is_callback(&export) {
            return;
        }
        match named(&export) {
            Some(callback) => self.callbacks.keep(&[callback]),
            None => self.give_up(Unclear::UnknownExport { path: self.path.to_owned(), export }),
        }
    }

    /// `filter_abi::callbacks! { proxy_on_log => on_log }`: each by its name.
    fn named_in(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(word) => self.export(word.to_string()),
                TokenTree::Group(group) => self.named_in(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn word(&mut self, word: &str) {
        if word == SDK {
            self.callbacks.keep(&LIFE);
        }
        if let Some(exports) = exports_answering(word) {
            self.callbacks.keep(exports);
        }
    }

    fn give_up(&mut self, unclear: Unclear) {
        self.unclear.get_or_insert(unclear);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if only_in_tests(&item.attrs) {
            return;
        }
        if let Some(last) = item.trait_.as_ref().and_then(|(path, _)| path.segments.last()) {
            let written = last.ident.to_string();
            let name = self.renames.0.get(&written).cloned().unwrap_or(written);
            if is_sdk_trait(&name) {
                self.callbacks.keep(&LIFE);
                self.implementation(&name, item);
            }
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !only_in_tests(&item.attrs) {
            self.function(&item.sig.ident.to_string(), &item.attrs);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !only_in_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        visit::visit_path(self, &item.path);
        if item.path.segments.last().is_some_and(|last| last.ident == NAMING) {
            return self.named_in(item.tokens.clone());
        }
        self.macro_tokens(item.tokens.clone());
    }

    fn visit_ident(&mut self, word: &'ast proc_macro2::Ident) {
        self.word(&word.to_string());
    }
}

/// The macro of filter-abi that exports the callbacks which it names.
const NAMING: &str = "callbacks";

/// The crate of the SDK, as sources name it.
const SDK: &str = "proxy_wasm";

/// The name that the linker exports the function `name` under, if it does: of `#[no_mangle]` or
/// `#[export_name = ".."]`, inside of `unsafe(..)` or not.
fn exported_as(name: &str, attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let inner;
        let meta = match &attribute.meta {
            syn::Meta::List(list) if list.path.is_ident("unsafe") => {
                inner = list.parse_args::<syn::Meta>().ok()?;
                &inner
            }
            meta => meta,
        };
        match meta {
            syn::Meta::Path(path) if path.is_ident("no_mangle") => Some(name.to_owned()),
            syn::Meta::NameValue(pair) if pair.path.is_ident("export_name") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        }
    })
}

/// Whether a `#[cfg(test)]` keeps the item out of every module that ships.
fn only_in_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = || attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"));
        attribute.path().is_ident("cfg") && is_test()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<&'static str>, Unclear> {
        Ok(all(text)?.into_iter().filter(|name| !Callbacks::least().has(name)).collect())
    }

    /// With those that the SDK needs.
    fn all(text: &str) -> Result<Vec<&'static str>, Unclear> {
        let mut callbacks = Callbacks::none();
        add(text, Path::new("src/shell.rs"), &mut callbacks)?;
        Ok(callbacks.names().collect())
    }

    #[test]
    fn an_exported_function_keeps_the_callback_of_its_name() {
        let text = "
            mod abi {
                #[unsafe(no_mangle)] pub extern \"C\" fn proxy_on_log(_: u32) {}
                #[no_mangle] extern \"C\" fn proxy_on_tick(_: u32) {}
                #[unsafe(export_name = \"proxy_on_configure\")] extern \"C\" fn configure(_: u32, _: u32) -> u32 { 1 }
                #[unsafe(no_mangle)] extern \"C\" fn proxy_on_memory_allocate(_: usize) -> *mut u8 { null_mut() }
                #[unsafe(no_mangle)] extern \"C\" fn proxy_abi_version_0_2_1() {}
            }";
        assert_eq!(all(text).unwrap(), ["proxy_on_configure", "proxy_on_log", "proxy_on_tick"]);
    }

    #[test]
    fn a_callback_that_is_named_for_the_macro_of_filter_abi_is_kept() {
        let text = "filter_abi::callbacks! { proxy_on_log => on_log, proxy_on_tick => shell::on_tick }";
        assert_eq!(all(text).unwrap(), ["proxy_on_log", "proxy_on_tick"]);
        let error = all("callbacks! { proxy_on_early_hints => on_early_hints }").unwrap_err().to_string();
        assert!(error.starts_with("src/shell.rs: `proxy_on_early_hints` is no callback known"), "{error}");
    }

    #[test]
    fn a_function_that_is_not_exported_or_only_in_tests_keeps_nothing() {
        let text = "
            fn proxy_on_log(_: u32) {}
            #[cfg(test)] #[unsafe(no_mangle)] extern \"C\" fn proxy_on_tick(_: u32) {}";
        assert!(all(text).unwrap().is_empty());
    }

    #[test]
    fn an_exported_callback_that_nobody_knows_is_refused_by_name() {
        let error = all("#[unsafe(no_mangle)] extern \"C\" fn proxy_on_early_hints(_: u32) {}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "src/shell.rs: `proxy_on_early_hints` is no callback known to ship, \
             add it to the table in ship/src/callback.rs"
        );
        let error = all("export! { extern \"C\" fn proxy_on_log(_: u32) {} }").unwrap_err().to_string();
        assert!(error.starts_with("src/shell.rs: `proxy_on_log` stands inside a macro"), "{error}");
    }

    #[test]
    fn only_what_uses_the_sdk_has_contexts_made_and_freed() {
        let life = ["proxy_on_context_create", "proxy_on_delete"];
        for text in [
            "use proxy_wasm::types::LogLevel;",
            "proxy_wasm::main! {{ set_up(); }}",
            "fn f() { run! { proxy_wasm::set_log_level(LogLevel::Info) } }",
            "impl Context for S {}",
        ] {
            assert_eq!(all(text).unwrap(), life, "{text}");
        }
        assert!(all("/// Like `proxy_wasm`.\nfn on_log() {}").unwrap().is_empty());
    }

    #[test]
    fn each_implemented_method_keeps_its_callback() {
        let text = "
            struct Stream;
            impl Context for Stream {
                fn on_done(&mut self) -> bool { true }
            }
            impl proxy_wasm::traits::HttpContext for Stream {
                fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action { Action::Continue }
                fn on_http_response_body(&mut self, _: usize, _: bool) -> Action { Action::Continue }
                fn on_log(&mut self) {}
            }
            impl<C: 'static> RootContext for Root<C> {
                fn on_configure(&mut self, _: usize) -> bool { true }
                fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> { None }
            }";
        assert_eq!(
            read(text).unwrap(),
            [
                "proxy_on_configure",
                "proxy_on_done",
                "proxy_on_log",
                "proxy_on_request_headers",
                "proxy_on_response_body",
            ]
        );
    }

    #[test]
    fn an_implementation_is_found_wherever_it_stands() {
        let nested = "mod shell { fn open() { impl RootContext for R { fn on_tick(&mut self) {} } } }";
        assert_eq!(read(nested).unwrap(), ["proxy_on_tick"]);
        let renamed = "
            use proxy_wasm::traits::{Context, HttpContext as Http};
            impl Http for S { fn on_log(&mut self) {} }";
        assert_eq!(read(renamed).unwrap(), ["proxy_on_log"]);
    }

    #[test]
    fn what_only_tests_implement_is_not_kept() {
        let text = "
            #[cfg(test)] mod tests { impl HttpContext for Fake { fn on_log(&mut self) {} } }
            #[cfg(test)] impl RootContext for Fake { fn on_tick(&mut self) {} }";
        assert!(read(text).unwrap().is_empty());
    }

    #[test]
    fn a_method_of_another_trait_is_none_of_our_business() {
        assert!(read("impl Listener for S { fn on_surprise(&self) {} }").unwrap().is_empty());
        assert!(read("impl S { fn on_tick(&self) {} }").unwrap().is_empty());
    }

    #[test]
    fn one_grpc_method_keeps_all_four_grpc_callbacks() {
        let text = "impl Context for S { fn on_grpc_stream_message(&mut self, _: u32, _: usize) {} }";
        assert_eq!(
            read(text).unwrap(),
            [
                "proxy_on_grpc_close",
                "proxy_on_grpc_receive",
                "proxy_on_grpc_receive_initial_metadata",
                "proxy_on_grpc_receive_trailing_metadata",
            ]
        );
    }

    #[test]
    fn a_call_whose_answer_is_ignored_still_has_it_delivered() {
        let method = "fn fire(s: &S) { let _ = s.dispatch_http_call(\"c\", vec![], None, vec![], T); }";
        assert_eq!(read(method).unwrap(), ["proxy_on_http_call_response"]);
        let in_macro = "fn fire(s: &S) { log!(\"{:?}\", hostcalls::dispatch_http_call(\"c\")); }";
        assert_eq!(read(in_macro).unwrap(), ["proxy_on_http_call_response"]);
    }

    #[test]
    fn an_unknown_method_is_refused_by_name() {
        let error = read("impl HttpContext for S { fn on_http_early_hints(&mut self) {} }").unwrap_err();
        assert_eq!(
            error.to_string(),
            "src/shell.rs: `HttpContext::on_http_early_hints` is no callback known to ship, \
             add it to the table in ship/src/callback.rs"
        );
    }

    #[test]
    fn a_method_of_the_wrong_trait_is_refused_too() {
        assert!(matches!(
            read("impl Context for S { fn on_tick(&mut self) {} }"),
            Err(Unclear::Unknown { owner, .. }) if owner == "Context"
        ));
    }

    #[test]
    fn a_callback_written_by_a_macro_is_refused() {
        let text = "stream! { impl HttpContext for S { fn on_log(&mut self) {} } }";
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with("src/shell.rs: `on_log` stands inside a macro"), "{error}");
    }

    #[test]
    fn what_is_not_rust_is_refused() {
        let error = read("fn a() {}\nfn b( {}\n").unwrap_err().to_string();
        assert!(error.starts_with("src/shell.rs: not Rust"), "{error}");
    }
}
