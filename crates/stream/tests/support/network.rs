//! A scripted network, in virtual time.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use http_body::{Body, Frame};
use sse_proto_stream::{Error, Lost, Received};

/// The response to one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status, headers and body.
    Head(u16, Vec<(&'static str, String)>, Vec<Step>),
    /// A network error.
    Refused,
    /// No response.
    Silence,
    /// A response after this number of milliseconds.
    After(u64, Box<Answer>),
}

/// A step of a body.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Chunk(Bytes),
    /// A pause in milliseconds.
    Wait(u64),
    /// A network error.
    Break,
    /// Pending forever.
    Hang,
}

/// An event stream with this body.
pub(crate) fn stream(steps: &[Step]) -> Answer {
    let headers = vec![("content-type", "text/event-stream".to_owned())];
    Answer::Head(200, headers, steps.to_vec())
}

pub(crate) fn text(text: &str) -> Step {
    Step::Chunk(Bytes::copy_from_slice(text.as_bytes()))
}

pub(crate) fn status(status: u16) -> Answer {
    Answer::Head(status, vec![], vec![])
}

pub(crate) fn redirect(status: u16, location: &str) -> Answer {
    Answer::Head(status, vec![("location", location.to_owned())], vec![])
}

/// A request, and when it was sent.
type Sent = (u64, Request<Bytes>);

/// The network and its clock; it records what the client does.
#[derive(Clone, Default)]
pub(crate) struct Network {
    /// Milliseconds.
    now: Rc<Cell<u64>>,
    /// The deadlines of the current timers.
    timers: Rc<RefCell<Vec<u64>>>,
    pub(crate) timers_made: Rc<Cell<usize>>,
    answers: Rc<RefCell<VecDeque<Answer>>>,
    requests: Rc<RefCell<Vec<Sent>>>,
    /// The number of response futures and bodies that were not dropped.
    pub(crate) alive: Rc<Cell<usize>>,
}

impl Network {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let network = Self::default();
        network.answers.borrow_mut().extend(answers);
        network
    }

    /// Requests beyond the script get no response.
    pub(crate) fn connect(&self) -> impl FnMut(Request<Bytes>) -> Reply + use<> {
        let network = self.clone();
        move |request| {
            let now = network.now.get();
            network.requests.borrow_mut().push((now, request));
            let answer = network.answers.borrow_mut().pop_front();
            network.alive.set(network.alive.get() + 1);
            Reply {
                due: None,
                answer: Some(answer.unwrap_or(Answer::Silence)),
                network: network.clone(),
            }
        }
    }

    pub(crate) fn sleep(&self) -> impl FnMut(Duration) -> Timer + use<> {
        let network = self.clone();
        move |time| {
            network.timers_made.set(network.timers_made.get() + 1);
            network.timer(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
        }
    }

    fn timer(&self, milliseconds: u64) -> Timer {
        let due = self.now.get().saturating_add(milliseconds);
        self.timers.borrow_mut().push(due);
        Timer {
            due,
            network: self.clone(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    pub(crate) fn requests(&self) -> Vec<Request<Bytes>> {
        let requests = self.requests.borrow();
        requests
            .iter()
            .map(|(_, request)| request.clone())
            .collect()
    }

    /// When the requests were sent.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.requests
            .borrow()
            .iter()
            .map(|(time, _)| *time)
            .collect()
    }

    /// The URL and the header `Last-Event-ID` of each request.
    pub(crate) fn urls_and_ids(&self) -> Vec<(String, Option<String>)> {
        let id = |request: &Request<Bytes>| {
            let id = request.headers().get("last-event-id")?;
            Some(String::from_utf8(id.as_bytes().to_vec()).unwrap())
        };
        let requests = self.requests();
        let pairs = requests
            .iter()
            .map(|request| (request.uri().to_string(), id(request)));
        pairs.collect()
    }

    /// Advances the clock to the next timer. Returns `false` if there is none until `until`.
    pub(crate) fn advance(&self, until: u64) -> bool {
        let next = self.timers.borrow().iter().copied().min();
        match next.filter(|next| *next <= until && *next < u64::MAX) {
            Some(next) => {
                self.now.set(self.now.get().max(next));
                true
            }
            None => {
                if until < u64::MAX {
                    self.now.set(until);
                }
                false
            }
        }
    }
}

pub(crate) struct Timer {
    due: u64,
    network: Network,
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.network.now.get() >= self.due {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut timers = self.network.timers.borrow_mut();
        let at = timers.iter().position(|due| *due == self.due).unwrap();
        timers.remove(at);
    }
}

pub(crate) struct Reply {
    due: Option<Timer>,
    answer: Option<Answer>,
    network: Network,
}

impl Future for Reply {
    type Output = Result<Response<Script>, io::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if let Some(timer) = &mut self.due {
                std::task::ready!(Pin::new(timer).poll(context));
                self.due = None;
            }
            return match self.answer.take() {
                Some(Answer::After(time, answer)) => {
                    self.due = Some(self.network.timer(time));
                    self.answer = Some(*answer);
                    continue;
                }
                Some(Answer::Head(status, headers, steps)) => {
                    let mut response = Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(name, value);
                    }
                    self.network.alive.set(self.network.alive.get() + 1);
                    let body = Script {
                        steps: steps.into(),
                        timer: None,
                        network: self.network.clone(),
                    };
                    Poll::Ready(Ok(response.body(body).unwrap()))
                }
                Some(Answer::Refused) => Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into())),
                Some(Answer::Silence) | None => {
                    self.answer = Some(Answer::Silence);
                    Poll::Pending
                }
            };
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.network.alive.set(self.network.alive.get() - 1);
    }
}

pub(crate) struct Script {
    steps: VecDeque<Step>,
    timer: Option<Timer>,
    network: Network,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(timer) = &mut self.timer {
                std::task::ready!(Pin::new(timer).poll(context));
                self.timer = None;
            }
            return match self.steps.pop_front() {
                None => Poll::Ready(None),
                Some(Step::Chunk(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Break) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    Poll::Pending
                }
                Some(Step::Wait(time)) => {
                    self.timer = Some(self.network.timer(time));
                    continue;
                }
            };
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.network.alive.set(self.network.alive.get() - 1);
    }
}

/// Returns the next item until this point in time; `None` if there is none yet.
pub(crate) fn next_until<S: Stream>(
    network: &Network,
    mut source: Pin<&mut S>,
    until: u64,
) -> Option<Option<S::Item>> {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(item) = source.as_mut().poll_next(&mut context) {
            return Some(item);
        }
        // Poll once more when the clock has reached `until`.
        let was = network.now();
        if !network.advance(until) && network.now() == was {
            return None;
        }
    }
}

/// Returns descriptions of all items until this point in time.
pub(crate) fn log<S>(network: &Network, mut source: Pin<&mut S>, until: u64) -> Vec<String>
where
    S: Stream<Item = Result<Received, Error<Lost>>>,
{
    let mut log = vec![];
    loop {
        match next_until(network, source.as_mut(), until) {
            Some(Some(item)) => log.push(describe(&item)),
            Some(None) => {
                log.push("end".to_owned());
                return log;
            }
            None => return log,
        }
    }
}

pub(crate) fn describe(item: &Result<Received, Error<Lost>>) -> String {
    match item {
        Ok(Received::Open(head)) => format!("open {}", head.status.as_u16()),
        Ok(Received::Event(event)) => {
            format!(
                "{} {:?} {:?}",
                event.event_type(),
                event.data(),
                event.last_event_id()
            )
        }
        Ok(Received::Comment(text)) => format!(":{text}"),
        Ok(Received::Retry(time)) => format!("retry {}", time.as_millis()),
        Ok(Received::Id(id)) => format!("id {id:?}"),
        Ok(Received::Ignored { text, reason }) => format!("{reason}: {text:?}"),
        Ok(Received::Lost(lost)) => {
            format!(
                "lost {:?} {}",
                lost.reason(),
                lost.delay().unwrap().as_millis()
            )
        }
        Err(Error::Source(lost)) => {
            assert_eq!(lost.delay(), None);
            format!("failed {:?}", lost.reason())
        }
        Err(error) => error.to_string(),
        Ok(other) => format!("{other:?}"),
    }
}

/// Never ready.
#[allow(dead_code)]
pub(crate) fn never() -> impl Future<Output = ()> {
    poll_fn(|_| Poll::Pending)
}
