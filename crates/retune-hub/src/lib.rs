//! Models from the Hugging Face Hub: `hf://org/name[@revision]` → a folder in the cache that the Hub's Python tools
//! share.
//!
//! - [`HubAddress`]: the address.
//! - [`Settings`]: endpoint, cache, token, offline; from the environment variables that the Python tools read.
//! - [`Hub`]: [`Hub::fetch`] makes the files of an address be there and says where.
//! - [`HubError`]: what can go wrong.
//!
//! Nothing here touches the network except [`Hub::fetch`], and not even that when [`Settings::is_offline`] is set.
//!
//! Inside: `cache` (its layout), `client` (requests, redirects, refusals), `download` (one file: resumed, checked).

mod address;
mod cache;
mod client;
mod download;
mod error;
mod hub;
mod settings;

pub use address::HubAddress;
pub use download::Progress;
pub use error::HubError;
pub use hub::{Hub, model_files};
pub use settings::Settings;
