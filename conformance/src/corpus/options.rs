//! What a client can be told to do beyond the standard.

use serde::{Deserialize, Serialize};

/// The options of a client. Each one that is missing leaves the client to the standard.
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
    /// Whether it reconnects at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnects: Option<bool>,
    /// The reconnection time in milliseconds before the server sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnection_time_ms: Option<u64>,
    /// Each failure in a row doubles the wait, up to so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_ms: Option<u64>,
    /// A row of failures ends when a connection has lasted for so many milliseconds, and not with a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_after_ms: Option<u64>,
    /// After so many failures in a row the connection fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u32>,
    /// Responses with these statuses reestablish the connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Statuses>,
    /// Whether a response of another type reestablishes the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_content_type: Option<bool>,
    /// Where a reconnect goes after redirects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_to: Option<ReconnectTo>,
    /// Whether requests have the header `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<bool>,
    /// A message with this data announces the end of its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_marker: Option<String>,
}

/// A status, or all from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
// Exhaustive: the protocol knows no other.
pub enum Statuses {
    /// This one.
    One(u16),
    /// All from the first to the second, both included.
    Range(u16, u16),
}

/// Where a reconnect goes after redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// Exhaustive: the protocol knows no other.
pub enum ReconnectTo {
    /// To the URL that was given.
    Original,
    /// To where the first redirects led, as long as they were permanent (status 301 or 308).
    Permanent,
    /// To where the last redirect led.
    Final,
}
