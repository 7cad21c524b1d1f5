#![doc = include_str!("../README.md")]

mod file;
mod hub;
mod id;
mod log;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod store;
mod token;
mod topics;

pub use file::{FileStore, FileTopic, Recovered};
pub use hub::{
    Hub, HubBuilder, Position, PublishError, Stats, SubscribeError, Subscription, TopicStats,
};
pub use id::{EventId, InvalidId};
pub use memory::{MemoryStore, MemoryTopic};
#[cfg(feature = "redis")]
pub use redis::{RedisStore, RedisStoreBuilder, RedisTopic};
pub use store::{AppendError, Bounds, GapReason, ReadAfter, Store, StoreError, Topic, TopicError};
pub use token::{Publisher, Token};
