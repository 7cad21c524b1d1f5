//! A client that asks for the stream and reads nothing of it.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

pub(crate) struct Idle {
    _stream: TcpStream,
}

impl Idle {
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // Little is taken in on this side, so that it falls behind early.
        socket.set_recv_buffer_size(4096)?;
        socket.connect_timeout(&address.into(), Duration::from_secs(10))?;
        let mut stream = TcpStream::from(socket);
        write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        Ok(Self { _stream: stream })
    }
}
