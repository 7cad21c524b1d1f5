//! A client that requests the stream and reads nothing.

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
        // A small receive buffer, so that the client falls behind early.
        socket.set_recv_buffer_size(4096)?;
        socket.connect_timeout(&address.into(), Duration::from_secs(10))?;
        let mut stream = TcpStream::from(socket);
        write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        Ok(Self { _stream: stream })
    }
}
