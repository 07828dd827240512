//! What the sections of a recipe have in common: how their keys are declared, taken out of a document and written again.

use super::document::{Located, Place};

/// A key, for the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key in its section.
    pub name: &'static str,
    /// What it means, its unit and default.
    pub doc: &'static str,
}

/// Declares the sections of a recipe: for each a struct of its keys, whose values may all be missing; together `Recipe`, and
/// `reference`, which lists them with their docs.
macro_rules! sections {
    ($($(#[doc = $section_doc:literal])* $section:ident: $name:ident {
        $($(#[doc = $doc:literal])+ $key:literal $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[doc = $section_doc])*
            #[derive(Debug, Clone, Default, PartialEq)]
            pub struct $name {
                $($(#[doc = $doc])+ pub $field: Option<Located<$type>>,)*
            }

            impl $name {
                const KEYS: &[Key] = &[$(Key { name: $key, doc: concat!($($doc, "\n"),+) }),*];

                fn take(document: &mut Document) -> $name {
                    $name { $($field: document.take(stringify!($section), $key),)* }
                }

                fn to_table(&self) -> Result<toml::Table, toml::ser::Error> {
                    let mut table = toml::Table::new();
                    $(if let Some(located) = &self.$field {
                        table.insert($key.to_owned(), toml::Value::try_from(&located.value)?);
                    })*
                    Ok(table)
                }
            }
        )*

        /// A recipe as it is written: every value may be missing.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Recipe {
            $($(#[doc = $section_doc])* pub $section: $name,)*
        }

        impl Recipe {
            /// Takes all values out of a document, and notes what it cannot use there.
            pub fn take(document: &mut Document) -> Recipe {
                let recipe = Recipe { $($section: $name::take(document),)* };
                document.report_unknown(&[$((stringify!($section), $name::KEYS.iter().map(|k| k.name).collect())),*]);
                recipe
            }

            /// The recipe as TOML.
            ///
            /// # Errors
            /// A value that TOML cannot hold.
            pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
                let mut root = toml::Table::new();
                $(
                    let table = self.$section.to_table()?;
                    if !table.is_empty() {
                        root.insert(stringify!($section).to_owned(), toml::Value::Table(table));
                    }
                )*
                toml::to_string(&root)
            }
        }

        /// Every section with its keys, for help and documentation.
        pub fn reference() -> Vec<(&'static str, &'static str, &'static [Key])> {
            vec![$((stringify!($section), concat!($($section_doc, "\n"),*), $name::KEYS)),*]
        }
    };
}
pub(super) use sections;

/// The value, or the default, which is from now on the recipe's value.
pub(super) fn resolve<T: Clone>(field: &mut Option<Located<T>>, default: T) -> T {
    field.get_or_insert(Located { value: default, place: Place::Absent }).value.clone()
}

/// The value if there is one.
pub(super) fn value<T: Clone>(field: &Option<Located<T>>) -> Option<T> {
    field.as_ref().map(|located| located.value.clone())
}
