#![doc = include_str!("../README.md")]

mod file;
mod hub;
mod id;
mod log;
mod memory;
mod store;
mod token;
mod topics;

pub use file::{FileStore, FileTopic, Recovered};
pub use hub::{
    Hub, HubBuilder, Position, PublishError, Stats, SubscribeError, Subscription, TopicStats,
};
pub use id::{EventId, InvalidId};
pub use memory::{MemoryStore, MemoryTopic};
pub use store::{AppendError, Bounds, GapReason, ReadAfter, Store, StoreError, Topic, TopicError};
pub use token::{Publisher, Token};
