//! What an implementation can be asked for. Nobody is failed for what an implementation does not offer: the
//! cases that need it are skipped, or it is left out of the comparison, and the report says so.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::corpus::{Body, Case, Kind};

/// One thing that an implementation can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// `decode`: it reads streams.
    Decode,
    /// `encode`: it writes streams.
    Encode,
    /// `connect`: it is a client.
    Connect,
    /// `comments`: it hands out comments, and writes them.
    Comments,
    /// `retry`: it hands out reconnection times, and writes them.
    Retry,
    /// `limit`: what one event may hold can be limited, as the README has it.
    Limit,
    /// `fixed-storage`: it can work in memory of a fixed length.
    FixedStorage,
    /// `id-seed`: it can be given the last event id of an earlier connection.
    IdSeed,
    /// `final-id`: it tells the last event id that stays after the input.
    FinalId,
    /// `chunks`: it reads a stream piece by piece, and tells what came out of each piece.
    Chunks,
    /// `empty-chunks`: a piece may be empty.
    EmptyChunks,
    /// `large`: an event may hold more than 64 KiB.
    Large,
    /// `big-number`: it has 64 bits for a reconnection time, exactly.
    BigNumber,
    /// `abort`: a client can be told that a request was aborted.
    Abort,
    /// `close`: a client can be closed in the handler of an event.
    Close,
    /// `delay`: a client waits for the reconnection time, and nothing else is added to it.
    Delay,
    /// `options`: a client can be told to do what the standard does not have, as ADAPTER.md has it.
    Options,
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 17] = [
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
    ];

    /// Its name, as options, adapters and reports have it.
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
        }
    }

    /// What it means, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Decode => "it reads streams",
            Self::Encode => "it writes streams",
            Self::Connect => "it is a client",
            Self::Comments => "it hands out comments, and writes them",
            Self::Retry => "it hands out reconnection times, and writes them",
            Self::Limit => "what one event may hold can be limited, as the README has it",
            Self::FixedStorage => "it can work in memory of a fixed length",
            Self::IdSeed => "it can be given the last event id of an earlier connection",
            Self::FinalId => "it tells the last event id that stays after the input",
            Self::Chunks => {
                "it reads a stream piece by piece, and tells what came out of each piece"
            }
            Self::EmptyChunks => "a piece may be empty",
            Self::Large => "an event may hold more than 64 KiB",
            Self::BigNumber => "it has 64 bits for a reconnection time, exactly",
            Self::Abort => "a client can be told that a request was aborted",
            Self::Close => "a client can be closed in the handler of an event",
            Self::Delay => {
                "a client waits for the reconnection time, and nothing else is added to it"
            }
            Self::Options => "a client can be told to do what the standard does not have",
        }
    }

    /// What there is to be able to for this kind of cases.
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

/// A name that no capability has.
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
            "no capability is named {:?}; there are {known}",
            self.name
        )
    }
}

impl std::error::Error for UnknownCapability {}

impl FromStr for Capability {
    type Err = UnknownCapability;

    /// Takes the singular of `comments` too, which is the name of the flag.
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

/// All that an implementation can be asked for.
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
    /// Everything.
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// What is asked of an adapter that does not say what it offers: everything but [`Capability::Options`], which the
    /// standard does not have.
    ///
    /// ```
    /// use sse_conformance::{Capabilities, Capability};
    ///
    /// let missing: Vec<_> = Capabilities::unless_stated().absent().collect();
    /// assert_eq!(missing, [Capability::Options]);
    /// ```
    pub fn unless_stated() -> Self {
        Self::all().without(Capability::Options)
    }

    /// The same without one.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.0.remove(&capability);
        self
    }

    /// Whether it is there.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// Those that are not there.
    pub fn absent(&self) -> impl Iterator<Item = Capability> + '_ {
        Capability::ALL
            .into_iter()
            .filter(|capability| !self.has(*capability))
    }

    /// The first that is not there but that the case cannot be asked without.
    pub fn missing_for(&self, case: &Case) -> Option<Capability> {
        needs(case)
            .into_iter()
            .find(|capability| !self.has(*capability))
    }

    /// Those that are not there and because of which something of the case is not compared.
    pub fn left_out_of(&self, case: &Case) -> Vec<Capability> {
        let mut concerned = Vec::new();
        match &case.body {
            Body::Decode(decode) => {
                concerned.push(Capability::FinalId);
                if decode.steps.len() > 1 {
                    concerned.push(Capability::Chunks);
                }
                if case.has_flag("comment") {
                    concerned.push(Capability::Comments);
                }
                if case.has_flag("retry") {
                    concerned.push(Capability::Retry);
                }
            }
            Body::Encode(_) => {}
            Body::Connect(_) => {
                if case.has_flag("delay") {
                    concerned.push(Capability::Delay);
                }
            }
        }
        concerned.retain(|capability| !self.has(*capability));
        concerned
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

/// What a case cannot be asked without.
fn needs(case: &Case) -> Vec<Capability> {
    let mut needs = vec![Capability::of_kind(case.kind)];
    // Of a fixed-storage case more is said by that than by its limit.
    for (flag, capability) in [
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
        // Comments that are not handed out take no part in a limit: the outcome is another one.
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
