//! A store that cannot be reached for a while.

use super::*;

/// A store that can be made unreachable.
struct Flaky {
    memory: MemoryStore,
    is_down: Arc<AtomicBool>,
}

struct FlakyTopic {
    memory: Arc<<MemoryStore as Store>::Topic>,
    is_down: Arc<AtomicBool>,
}

impl FlakyTopic {
    fn check(&self) -> Result<(), StoreError> {
        if self.is_down.load(Relaxed) {
            Err("down".into())
        } else {
            Ok(())
        }
    }
}

impl Store for Flaky {
    type Topic = FlakyTopic;

    fn topic(&self, name: &str) -> Result<Arc<FlakyTopic>, TopicError> {
        let (memory, is_down) = (self.memory.topic(name)?, self.is_down.clone());
        Ok(Arc::new(FlakyTopic { memory, is_down }))
    }
}

impl Topic for FlakyTopic {
    async fn append(&self, frame: Frame<'_>, token: &Token) -> Result<EventId, AppendError> {
        // The event arrives, but the reply does not.
        let id = self.memory.append(frame, token).await?;
        self.check().map_err(AppendError::Unknown)?;
        Ok(id)
    }

    async fn read_after(&self, after: EventId, max_bytes: usize) -> Result<ReadAfter, StoreError> {
        self.check()?;
        self.memory.read_after(after, max_bytes).await
    }

    async fn bounds(&self) -> Result<Bounds, StoreError> {
        self.check()?;
        self.memory.bounds().await
    }

    fn wait(&self, after: EventId) -> impl Future<Output = ()> + Send {
        self.memory.wait(after)
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_down_streams_stay_open_and_the_outcome_of_publishing_is_unknown() {
    let is_down = Arc::new(AtomicBool::new(true));
    let store = Flaky {
        memory: MemoryStore::new(),
        is_down: is_down.clone(),
    };
    let hub = HubBuilder::new()
        .keep_alive(Duration::from_secs(4))
        .build(store);
    let mut new = hub.subscribe("t", &HeaderMap::new()).await.unwrap();
    let mut returning = subscribe(&hub, "7-7").await;
    for body in [&mut new, &mut returning] {
        assert_eq!(next(body).await.unwrap(), "retry: 2000\n");
        assert_eq!(next(body).await.unwrap(), ":\n");
        assert_eq!(next(body).await.unwrap(), ":\n");
    }
    let frame = Frame::message("x");
    let error = hub.publish("t", frame).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::GATEWAY_TIMEOUT);
    let PublishError::Unknown { token, error, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.to_string(), "down");
    let again = hub
        .publish_with_token("t", frame, &token)
        .await
        .unwrap_err();
    assert_eq!(
        again.to_string(),
        "the event may have been published or not"
    );
    assert_eq!(again.source().unwrap().to_string(), "down");

    is_down.store(false, Relaxed);
    let id = hub.publish_with_token("t", frame, &token).await.unwrap();
    assert_eq!(id.number, 1, "it is in the log once");
    assert_eq!(next(&mut new).await.unwrap(), format!("id: {id}\n\n"));
    assert_eq!(
        next(&mut returning).await.unwrap(),
        format!("event: gap\nid: {id}\ndata: unknown\n\n")
    );

    // A shutdown does not wait for the store.
    is_down.store(true, Relaxed);
    let _ = hub.publish("t", Frame::message("y")).await;
    hub.shutdown(Duration::ZERO);
    assert_eq!(next(&mut new).await.unwrap(), "retry: 2000\n\n");
    assert_eq!(next(&mut new).await, None);
}
