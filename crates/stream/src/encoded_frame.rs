//! A frame as it is sent, to many.

use bytes::Bytes;
use sse_proto::Frame;

/// A frame as it is sent: encoded once, and cloned for each client by a reference count.
///
/// ```
/// use sse_proto::Frame;
/// use sse_proto_stream::EncodedFrame;
///
/// let frame = EncodedFrame::from(Frame::message("hello").event("greeting")?);
/// let for_another_client = frame.clone();
/// assert_eq!(for_another_client.as_bytes(), b"event: greeting\ndata: hello\n\n");
/// # Ok::<(), sse_proto::InvalidField>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EncodedFrame(Bytes);

impl EncodedFrame {
    /// An empty comment, two bytes long: see [`Frame::keep_alive`].
    ///
    /// ```
    /// assert_eq!(sse_proto_stream::EncodedFrame::HEARTBEAT.as_bytes(), b":\n");
    /// ```
    pub const HEARTBEAT: Self = Self(Bytes::from_static(b":\n"));

    /// Takes bytes that are one or more whole frames already, such as those that a store gives back.
    ///
    /// They are not looked at. Text from elsewhere belongs into a [`Frame`], which nothing can break
    /// out of.
    ///
    /// ```
    /// use sse_proto_stream::EncodedFrame;
    ///
    /// let stored = b"id: 1\ndata: one\n\nid: 2\ndata: two\n\n";
    /// let frames = EncodedFrame::from_encoded(stored.to_vec());
    /// assert_eq!(frames.as_bytes(), stored);
    /// ```
    pub fn from_encoded(frames: impl Into<Bytes>) -> Self {
        Self(frames.into())
    }

    /// The frame as it is written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same, by value and without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<Frame<'_>> for EncodedFrame {
    fn from(frame: Frame<'_>) -> Self {
        let mut bytes = Vec::with_capacity(frame.encoded_len());
        frame.encode_to_vec(&mut bytes);
        Self(bytes.into())
    }
}

impl AsRef<[u8]> for EncodedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
