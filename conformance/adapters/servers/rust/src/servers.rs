//! The servers, each as its documentation shows. None sends keep-alive comments, which are no
//! frames.

use std::{convert::Infallible, net, sync::mpsc, thread, time::Duration};

use futures_util::{Stream, stream};
use sse_conformance::Frame;
use tokio::runtime::Runtime;

use crate::frames;

/// Listens on a free port of the loopback interface.
fn listen() -> (net::TcpListener, u16) {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port of the loopback interface");
    listener
        .set_nonblocking(true)
        .expect("a socket can be set to this mode");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

/// Runs a server in a thread.
fn on_tokio<T>(server: impl Future<Output = T> + Send + 'static) {
    thread::spawn(move || {
        let runtime = Runtime::new().expect("the main thread has a runtime as well");
        runtime.block_on(server);
    });
}

fn time(frame: &Frame) -> Option<Duration> {
    frame.retry.map(Duration::from_millis)
}

/// The frames of the request as events of a server that has no frames that fail.
fn events<E>(event: fn(Frame) -> E) -> impl Stream<Item = Result<E, Infallible>> {
    stream::iter(frames::get().into_iter().map(event).map(Ok))
}

pub(crate) fn actix() -> u16 {
    use actix_web::{App, HttpServer, Responder, rt::System, web};
    use actix_web_lab::sse::{Data, Event, Sse};

    fn events(frame: Frame) -> impl Iterator<Item = Event> {
        let data = frame.data.map(|data| {
            let mut event = Data::new(data);
            if let Some(name) = frame.event {
                event.set_event(name);
            }
            if let Some(id) = frame.id {
                event.set_id(id);
            }
            Event::Data(event)
        });
        let comment = frame.comment.map(|comment| Event::Comment(comment.into()));
        comment.into_iter().chain(data)
    }

    async fn handler() -> impl Responder {
        let frames = frames::get();
        let retry = frames.first().and_then(time);
        let response =
            Sse::from_infallible_stream(stream::iter(frames.into_iter().flat_map(events)));
        match retry {
            Some(time) => response.with_retry_duration(time),
            None => response,
        }
    }

    let (listener, port) = listen();
    thread::spawn(move || {
        let server = HttpServer::new(|| App::new().route("/", web::get().to(handler)))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .expect("the listener is good");
        System::new().block_on(server.run())
    });
    port
}

pub(crate) fn axum() -> u16 {
    use axum::{
        Router,
        response::sse::{Event, Sse},
        routing::get,
    };

    fn event(frame: Frame) -> Event {
        let mut event = Event::default();
        if let Some(time) = time(&frame) {
            event = event.retry(time);
        }
        if let Some(comment) = frame.comment {
            event = event.comment(comment);
        }
        if let Some(name) = frame.event {
            event = event.event(name);
        }
        if let Some(id) = frame.id {
            event = event.id(id);
        }
        match frame.data {
            Some(data) => event.data(data),
            None => event,
        }
    }

    let (listener, port) = listen();
    let app = Router::new().route("/", get(async || Sse::new(events(event))));
    on_tokio(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is good");
        axum::serve(listener, app).await
    });
    port
}

pub(crate) fn picoserve() -> u16 {
    use picoserve::{
        Config, Router, Server,
        io::Write,
        response::sse::{EventSource, EventStream, EventWriter},
        routing::get,
    };
    use tokio::task;

    struct Events;

    impl EventSource for Events {
        async fn write_events<W: Write>(
            self,
            mut writer: EventWriter<'_, W>,
        ) -> Result<(), W::Error> {
            for frame in frames::get() {
                let event = frame.event.as_deref().unwrap_or("message");
                let data = frame.data.unwrap_or_default();
                writer.write_event(event, data.as_str()).await?;
            }
            Ok(())
        }
    }

    async fn serve(listener: net::TcpListener) -> std::io::Result<()> {
        static CONFIG: Config = Config::const_default();
        let app = std::rc::Rc::new(Router::new().route("/", get(async || EventStream(Events))));
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let app = app.clone();
            task::spawn_local(async move {
                let mut buffer = [0; 2048];
                let server = Server::new_tokio(&app, &CONFIG, &mut buffer);
                if let Err(why) = server.serve(stream).await {
                    eprintln!("{why:?}");
                }
            });
        }
    }

    let (listener, port) = listen();
    thread::spawn(move || {
        let runtime = Runtime::new().expect("the main thread has a runtime as well");
        task::LocalSet::new().block_on(&runtime, serve(listener))
    });
    port
}

pub(crate) fn poem() -> u16 {
    use poem::{
        Route, Server, get, handler,
        listener::TcpAcceptor,
        web::sse::{Event, SSE},
    };

    fn events(frame: Frame) -> impl Iterator<Item = Event> {
        let message = frame.data.map(|data| {
            let mut event = Event::message(data);
            if let Some(name) = frame.event {
                event = event.event_type(name);
            }
            match frame.id {
                Some(id) => event.id(id),
                None => event,
            }
        });
        frame.retry.map(Event::retry).into_iter().chain(message)
    }

    #[handler]
    fn index() -> SSE {
        SSE::new(stream::iter(frames::get().into_iter().flat_map(events)))
    }

    let (listener, port) = listen();
    on_tokio(async {
        let acceptor = TcpAcceptor::from_std(listener).expect("the listener is good");
        let app = Route::new().at("/", get(index));
        Server::new_with_acceptor(acceptor).run(app).await
    });
    port
}

pub(crate) fn rocket() -> u16 {
    use rocket::{
        Config,
        config::LogLevel,
        fairing::AdHoc,
        get,
        response::stream::{Event, EventStream},
        routes,
    };

    fn event(frame: Frame) -> Event {
        let retry = time(&frame);
        let mut event = match (frame.data, &frame.comment, retry) {
            (Some(data), _, _) => Event::data(data),
            (None, Some(comment), _) => Event::comment(comment.clone()),
            (None, None, Some(time)) => Event::retry(time),
            (None, None, None) => Event::empty(),
        };
        if let Some(comment) = frame.comment {
            event = event.with_comment(comment);
        }
        if let Some(time) = retry {
            event = event.with_retry(time);
        }
        if let Some(name) = frame.event {
            event = event.event(name);
        }
        match frame.id {
            Some(id) => event.id(id),
            None => event,
        }
    }

    #[get("/")]
    fn index() -> EventStream<impl Stream<Item = Event>> {
        EventStream::from(stream::iter(frames::get().into_iter().map(event))).heartbeat(None)
    }

    let (sender, port) = mpsc::channel();
    let config = Config {
        port: 0,
        log_level: LogLevel::Off,
        ..Config::debug_default()
    };
    let ready = AdHoc::on_liftoff("port", move |rocket| {
        let sent = sender.send(rocket.config().port);
        Box::pin(async move { sent.expect("the main thread waits for it") })
    });
    let server = rocket::custom(config)
        .mount("/", routes![index])
        .attach(ready);
    thread::spawn(|| {
        if let Err(why) = rocket::execute(server.launch()) {
            eprintln!("{why}");
        }
    });
    port.recv().expect("the server starts")
}

pub(crate) fn salvo() -> u16 {
    use salvo::{
        conn::Acceptor,
        prelude::{Listener, Response, Router, Server, TcpListener, handler},
        sse::{self, SseEvent},
    };

    fn event(frame: Frame) -> SseEvent {
        let mut event = SseEvent::default();
        if let Some(time) = time(&frame) {
            event = event.retry(time);
        }
        if let Some(comment) = frame.comment {
            event = event.comment(comment);
        }
        if let Some(name) = frame.event {
            event = event.name(name);
        }
        if let Some(id) = frame.id {
            event = event.id(id);
        }
        match frame.data {
            Some(data) => event.text(data),
            None => event,
        }
    }

    #[handler]
    async fn index(response: &mut Response) {
        sse::stream(response, events(event));
    }

    let (sender, port) = mpsc::channel();
    on_tokio(async move {
        let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
        let address = acceptor.holdings().first().map(|it| it.local_addr.clone());
        sender
            .send(address.and_then(|it| it.into_std()))
            .expect("the main thread waits for it");
        Server::new(acceptor).serve(Router::new().get(index)).await;
    });
    let address = port.recv().expect("the server starts");
    address.expect("it listens on an address").port()
}

pub(crate) fn sse_proto() -> u16 {
    use axum::{Router, routing::get};
    use sse_proto::InvalidField;
    use sse_proto_stream::{EncodedFrame, SseBody};

    fn encoded(fields: Frame) -> Result<EncodedFrame, InvalidField> {
        let data = fields.data.as_deref();
        let mut frame = data.map_or(sse_proto::Frame::new(), sse_proto::Frame::message);
        if let Some(name) = &fields.event {
            frame = frame.event(name)?;
        }
        if let Some(id) = &fields.id {
            frame = frame.id(id)?;
        }
        if let Some(time) = time(&fields) {
            frame = frame.retry(time);
        }
        if let Some(comment) = &fields.comment {
            frame = frame.comment(comment);
        }
        Ok(frame.into())
    }

    let (listener, port) = listen();
    let frames = || stream::iter(frames::get().into_iter().map(encoded));
    let app = Router::new().route(
        "/",
        get(async move || SseBody::new(frames()).into_response()),
    );
    on_tokio(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is good");
        axum::serve(listener, app).await
    });
    port
}

pub(crate) fn warp() -> u16 {
    use warp::{Filter, sse::Event};

    fn event(frame: Frame) -> Event {
        let mut event = Event::default();
        if let Some(time) = time(&frame) {
            event = event.retry(time);
        }
        if let Some(comment) = frame.comment {
            event = event.comment(comment);
        }
        if let Some(name) = frame.event {
            event = event.event(name);
        }
        if let Some(id) = frame.id {
            event = event.id(id);
        }
        match frame.data {
            Some(data) => event.data(data),
            None => event,
        }
    }

    let (listener, port) = listen();
    let route = warp::path::end().map(|| warp::sse::reply(events(event)));
    on_tokio(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is good");
        warp::serve(route).incoming(listener).run().await;
    });
    port
}
