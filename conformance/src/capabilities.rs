//! Capabilities: what an implementation can do. A missing capability is not a failure: the cases
//! that need it are skipped, or parts of the answers are not compared, and the report lists which.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::corpus::{Body, Case, Kind};

/// Something that an implementation may or may not be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// `decode`: decodes streams.
    Decode,
    /// `encode`: encodes streams.
    Encode,
    /// `connect`: is a client.
    Connect,
    /// `comments`: reports comments, and writes them.
    Comments,
    /// `retry`: reports reconnection times, and writes them.
    Retry,
    /// `limit`: the size of one event can be limited, counted as in the README.
    Limit,
    /// `fixed-storage`: works in memory of a fixed size.
    FixedStorage,
    /// `id-seed`: can start with the last event ID of an earlier connection.
    IdSeed,
    /// `final-id`: reports the last event ID after the input.
    FinalId,
    /// `chunks`: reads a stream chunk by chunk, and reports the items of each chunk.
    Chunks,
    /// `empty-chunks`: accepts empty chunks.
    EmptyChunks,
    /// `large`: accepts events of more than 64 KiB.
    Large,
    /// `big-number`: holds reconnection times of 64 bits exactly.
    BigNumber,
    /// `abort`: a client can be told that a request was aborted.
    Abort,
    /// `close`: a client can be closed in an event handler.
    Close,
    /// `delay`: a client waits for exactly the reconnection time.
    Delay,
    /// `options`: a client has the options of ADAPTER.md, which the standard does not have.
    Options,
    /// `details`: a decoder reports what ADAPTER.md calls details, which the standard does not
    /// have.
    Details,
}

impl Capability {
    /// All capabilities.
    pub const ALL: [Self; 18] = [
        Self::Decode,
        Self::Encode,
        Self::Connect,
        Self::Comments,
        Self::Retry,
        Self::Limit,
        Self::FixedStorage,
        Self::IdSeed,
        Self::FinalId,
        Self::Chunks,
        Self::EmptyChunks,
        Self::Large,
        Self::BigNumber,
        Self::Abort,
        Self::Close,
        Self::Delay,
        Self::Options,
        Self::Details,
    ];

    /// Returns the name that options, adapters and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
            Self::Connect => "connect",
            Self::Comments => "comments",
            Self::Retry => "retry",
            Self::Limit => "limit",
            Self::FixedStorage => "fixed-storage",
            Self::IdSeed => "id-seed",
            Self::FinalId => "final-id",
            Self::Chunks => "chunks",
            Self::EmptyChunks => "empty-chunks",
            Self::Large => "large",
            Self::BigNumber => "big-number",
            Self::Abort => "abort",
            Self::Close => "close",
            Self::Delay => "delay",
            Self::Options => "options",
            Self::Details => "details",
        }
    }

    /// Returns a one-line description.
    pub fn about(self) -> &'static str {
        match self {
            Self::Decode => "decodes streams",
            Self::Encode => "encodes streams",
            Self::Connect => "is a client",
            Self::Comments => "reports comments, and writes them",
            Self::Retry => "reports reconnection times, and writes them",
            Self::Limit => "the size of one event can be limited, counted as in the README",
            Self::FixedStorage => "works in memory of a fixed size",
            Self::IdSeed => "can start with the last event ID of an earlier connection",
            Self::FinalId => "reports the last event ID after the input",
            Self::Chunks => "reads a stream chunk by chunk, and reports the items of each chunk",
            Self::EmptyChunks => "accepts empty chunks",
            Self::Large => "accepts events of more than 64 KiB",
            Self::BigNumber => "holds reconnection times of 64 bits exactly",
            Self::Abort => "a client can be told that a request was aborted",
            Self::Close => "a client can be closed in an event handler",
            Self::Delay => "a client waits for exactly the reconnection time",
            Self::Options => {
                "a client has the options of ADAPTER.md, which the standard does not have"
            }
            Self::Details => {
                "a decoder reports the details of ADAPTER.md, which the standard does not have"
            }
        }
    }

    /// Returns the capability that all cases of this kind need.
    pub fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Decode => Self::Decode,
            Kind::Encode => Self::Encode,
            Kind::Connect => Self::Connect,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The error for a name that no capability has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownCapability {
    /// The name.
    pub name: String,
}

impl fmt::Display for UnknownCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Capability::ALL.map(Capability::as_str).join(", ");
        write!(
            f,
            "no capability is named {:?}; the names are {known}",
            self.name
        )
    }
}

impl std::error::Error for UnknownCapability {}

impl FromStr for Capability {
    type Err = UnknownCapability;

    /// Accepts `comment`, the name of the flag, for `comments`.
    fn from_str(name: &str) -> Result<Self, UnknownCapability> {
        let found = Self::ALL
            .into_iter()
            .find(|capability| capability.as_str() == name);
        match found {
            None if name == "comment" => Ok(Self::Comments),
            None => Err(UnknownCapability {
                name: name.to_owned(),
            }),
            Some(capability) => Ok(capability),
        }
    }
}

/// A set of capabilities.
///
/// ```
/// use sse_conformance::{Capabilities, Capability};
///
/// let capabilities = Capabilities::all().without(Capability::FixedStorage);
/// assert!(capabilities.has(Capability::Limit));
/// let case = sse_conformance::cases()
///     .iter()
///     .find(|case| case.has_flag("fixed-storage"))
///     .unwrap();
/// assert_eq!(capabilities.missing_for(case), Some(Capability::FixedStorage));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Returns all capabilities.
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// Returns the capabilities that are assumed of an adapter that names none: all but
    /// [`Capability::Options`] and [`Capability::Details`].
    ///
    /// ```
    /// use sse_conformance::{Capabilities, Capability};
    ///
    /// let missing: Vec<_> = Capabilities::assumed().missing().collect();
    /// assert_eq!(missing, [Capability::Options, Capability::Details]);
    /// ```
    pub fn assumed() -> Self {
        Self::all()
            .without(Capability::Options)
            .without(Capability::Details)
    }

    /// Removes a capability.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.0.remove(&capability);
        self
    }

    /// Returns whether the set contains a capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// Returns the capabilities that are not in the set.
    pub fn missing(&self) -> impl Iterator<Item = Capability> + '_ {
        Capability::ALL
            .into_iter()
            .filter(|capability| !self.has(*capability))
    }

    /// Returns the first capability that the case needs and that is not in the set, if any.
    pub fn missing_for(&self, case: &Case) -> Option<Capability> {
        needs(case)
            .into_iter()
            .find(|capability| !self.has(*capability))
    }

    /// Returns the capabilities whose absence from the set leaves parts of the case's answers
    /// uncompared.
    pub fn not_compared_for(&self, case: &Case) -> Vec<Capability> {
        let mut affected = Vec::new();
        match &case.body {
            Body::Decode(decode) => {
                affected.push(Capability::FinalId);
                if decode.steps.len() > 1 {
                    affected.push(Capability::Chunks);
                }
                if case.has_flag("comment") {
                    affected.push(Capability::Comments);
                }
                if case.has_flag("retry") {
                    affected.push(Capability::Retry);
                }
            }
            Body::Encode(_) => {}
            Body::Connect(_) => {
                if case.has_flag("delay") {
                    affected.push(Capability::Delay);
                }
            }
        }
        affected.retain(|capability| !self.has(*capability));
        affected
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

/// The capabilities that a case needs.
fn needs(case: &Case) -> Vec<Capability> {
    let mut needs = vec![Capability::of_kind(case.kind)];
    // First the more specific of two: a fixed-storage case also has a limit.
    for (flag, capability) in [
        ("details", Capability::Details),
        ("fixed-storage", Capability::FixedStorage),
        ("limit", Capability::Limit),
        ("id-seed", Capability::IdSeed),
        ("large", Capability::Large),
        ("big-number", Capability::BigNumber),
        ("abort", Capability::Abort),
        ("close", Capability::Close),
        ("options", Capability::Options),
    ] {
        if case.has_flag(flag) {
            needs.push(capability);
        }
    }
    match &case.body {
        // A decoder that does not report comments does not count them towards its limit: the
        // outcome differs.
        Body::Decode(_) if case.has_flag("limit") && case.has_flag("comment") => {
            needs.push(Capability::Comments);
        }
        Body::Encode(encode) => {
            if encode.frames.iter().any(|frame| frame.comment.is_some()) {
                needs.push(Capability::Comments);
            }
            if encode.frames.iter().any(|frame| frame.retry.is_some()) {
                needs.push(Capability::Retry);
            }
        }
        Body::Decode(_) | Body::Connect(_) => {}
    }
    needs
}
