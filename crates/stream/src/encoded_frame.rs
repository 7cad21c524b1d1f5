//! An encoded frame that many clients share.

use bytes::Bytes;
use sse_proto::Frame;

/// An encoded frame. Clones share its bytes, so it is encoded once for many clients.
///
/// ```
/// use sse_proto::Frame;
/// use sse_proto_stream::EncodedFrame;
///
/// let frame = EncodedFrame::from(Frame::message("hello").event("greeting")?);
/// let other_client = frame.clone();
/// assert_eq!(other_client.as_bytes(), b"event: greeting\ndata: hello\n\n");
/// # Ok::<(), sse_proto::InvalidField>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EncodedFrame(Bytes);

impl EncodedFrame {
    /// A keep-alive comment, two bytes long: see [`Frame::keep_alive`].
    ///
    /// ```
    /// assert_eq!(sse_proto_stream::EncodedFrame::KEEP_ALIVE.as_bytes(), b":\n");
    /// ```
    pub const KEEP_ALIVE: Self = Self(Bytes::from_static(b":\n"));

    /// Wraps bytes that are one or more complete encoded frames, for example from a store.
    ///
    /// The bytes are not checked. For text from other sources use [`Frame`], which prevents
    /// injection of lines.
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

    /// Returns the encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the encoded bytes by value, without copying them.
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
