//! Whom do the demo's jobs call, when nobody else is there?

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// More than any request of the demo has.
const MAX_BODY: usize = 1024 * 1024;

/// A web server on the loopback that accepts everything; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections
                    .spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(accept)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, _server: server })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn accept(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Ok(_) => (StatusCode::OK, "{\"accepted\":true}"),
        Err(_) => (StatusCode::PAYLOAD_TOO_LARGE, "{\"accepted\":false}"),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}
