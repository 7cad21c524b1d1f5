//! Options of clients that the standard does not have.

use serde::{Deserialize, Serialize};

/// The options of a client. Where one is not set, the client does what the standard says.
///
/// ```
/// use sse_conformance::{Body, cases};
///
/// let case = cases().iter().find(|case| case.id == "connect-options-backoff").unwrap();
/// let Body::Connect(connect) = &case.body else { panic!() };
/// assert_eq!(connect.options.as_ref().unwrap().backoff_ms, Some(5000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientOptions {
    /// Whether the client reconnects at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnects: Option<bool>,
    /// The reconnection time in milliseconds before the server sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnection_time_ms: Option<u64>,
    /// The greatest delay in milliseconds for exponential backoff: each consecutive failure doubles
    /// the delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_ms: Option<u64>,
    /// The count of consecutive failures is reset once a connection has lasted for this many
    /// milliseconds, instead of by a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_after_ms: Option<u64>,
    /// The number of consecutive failures after which the connection fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u32>,
    /// The client reconnects after responses with these statuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Statuses>,
    /// Whether the client reconnects after a response of another content type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_content_type: Option<bool>,
    /// The URL to reconnect to after redirects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_to: Option<ReconnectTo>,
    /// Whether requests have a `Cache-Control` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<bool>,
    /// The data of a message that announces the end of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_marker: Option<String>,
}

/// A status, or a range of statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
// Exhaustive: the protocol has no others.
pub enum Statuses {
    /// One status.
    One(u16),
    /// All statuses from the first to the second, both included.
    Range(u16, u16),
}

/// The URL to reconnect to after redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol has no others.
pub enum ReconnectTo {
    /// The URL that the event source was created with.
    Original,
    /// The target of the leading permanent redirects (status 301 or 308).
    Permanent,
    /// The target of the last redirect.
    Final,
}
