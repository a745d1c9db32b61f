//! How is a port listened at, by whom may it be reached, and how does it stop?

mod connections;
mod health;
mod metrics;
mod patient;
mod requests;

use std::net::SocketAddr;
use std::time::Duration;

use event_detector::Registry;
use event_detector_runtime::{Figure, Intake, Source, SourceEnd, SourceError};
use tokio::net::{TcpListener, lookup_host};

use crate::hasura::{self, Hasura, SettingsError, nothing_here};
use metrics::More;

/// A server of HTTP as a source of changes.
///
/// It answers `POST /hasura` and `POST /hasura/{trigger}` (see [`Hasura`]) and `GET /healthz`, `/readyz`, `/version` and `/metrics`.
/// When the program stops, `/readyz` and new changes are answered with 503 until the requests in flight are answered; then it closes.
///
/// `/metrics` is what Prometheus reads. Where other machines reach the address, it is for those alone who show a passphrase.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: Settings,
    more: More,
}

/// What a server allows its clients. The defaults are the fields' documented values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is agreed with the senders of changes.
    pub hasura: hasura::Settings,
    /// How long the head of a request may take to arrive: 10 seconds.
    pub header_timeout: Duration,
    /// The largest head of a request in bytes: 16 KiB.
    pub header_limit: usize,
    /// How long a connection is kept without a request, and how long a client may take to read on: 75 seconds, longer than
    /// clients keep theirs, so that none is closed under a request.
    pub idle_timeout: Duration,
    /// Connections at a time: 1,024. For one beyond, the one that has been quiet for longest is closed. While all have requests
    /// that are being answered it waits: an answer of 503 would use up one of the sender's tries.
    pub connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hasura: hasura::Settings::default(),
            header_timeout: Duration::from_secs(10),
            header_limit: 16 * 1024,
            idle_timeout: Duration::from_secs(75),
            connections: 1_024,
        }
    }
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The text is no address.
    #[error("{address:?} is no address to listen at; expected a host and a port, e.g. `127.0.0.1:8080`")]
    Address {
        /// The text.
        address: String,
        /// Why it is none.
        source: std::io::Error,
    },
    /// Strangers could send changes.
    #[error(
        "{address} can be reached from other machines, and without a passphrase anybody could send changes there; \
         set a passphrase, or listen at 127.0.0.1"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("{address} cannot be listened at; is the port taken? Port 0 takes a free one")]
    Bind {
        /// The address.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl Settings {
    fn check(&self, registry: &Registry) -> Result<(), SettingsError> {
        const WAIT: &str = "a time longer than 0";
        let wrong = [
            ("header_timeout", self.header_timeout.is_zero(), WAIT),
            ("idle_timeout", self.idle_timeout.is_zero(), WAIT),
            ("header_limit", !(1_024..=1024 * 1024).contains(&self.header_limit), "1 KiB to 1 MiB"),
            ("connections", !(1..=1_000_000).contains(&self.connections), "1 to 1,000,000"),
        ];
        match wrong.into_iter().find(|(_, is_wrong, _)| *is_wrong) {
            None => self.hasura.check(registry),
            Some((setting, _, expected)) => {
                let given = match setting {
                    "header_limit" => self.header_limit.to_string(),
                    "connections" => self.connections.to_string(),
                    _ => "0".to_owned(),
                };
                Err(SettingsError::OutOfRange { setting, given, expected })
            }
        }
    }
}

impl Server {
    /// Listens at `address`, a host and a port; port 0 takes a free one. Requests are answered once the source runs.
    ///
    /// `registry` holds the events that the server's changes will be watched for; triggers that name others are refused here.
    ///
    /// # Errors
    ///
    /// [`ServeError`]; an address that other machines reach is refused as long as there is no passphrase.
    pub async fn bind(address: &str, settings: Settings, registry: &Registry) -> Result<Self, ServeError> {
        settings.check(registry)?;
        let named = |source| ServeError::Address { address: address.to_owned(), source };
        let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(named)?.collect();
        if settings.hasura.passphrases.is_empty()
            && let Some(exposed) = addresses.iter().find(|address| !is_loopback(**address))
        {
            return Err(ServeError::Exposed { address: *exposed });
        }
        let bound = |source| ServeError::Bind { address: address.to_owned(), source };
        let listener = TcpListener::bind(&*addresses).await.map_err(bound)?;
        let address = listener.local_addr().map_err(bound)?;
        Ok(Self { listener, address, settings, more: More::default() })
    }

    /// Adds figures to those of the runtime at `/metrics`; they are asked for at each request, and must be there at once.
    #[must_use]
    pub fn figures(mut self, figures: impl Fn() -> Vec<Figure> + Send + Sync + 'static) -> Self {
        self.more = More::new(figures);
        self
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// Whether only this machine reaches the address.
fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

impl Source for Server {
    fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        let hasura = Hasura::from_intake(intake.clone(), self.settings.hasura.clone())?;
        let metrics = metrics::router(intake.clone(), self.more, hasura.clone(), !is_loopback(self.address));
        let app = hasura.router().merge(health::router(intake.clone())).merge(metrics).fallback(nothing_here);
        connections::serve(self.listener, app, &self.settings, &intake).await;
        let refused = match hasura.refused_while_stopping() {
            1 => "1 request".to_owned(),
            count => format!("{count} requests"),
        };
        Ok(SourceEnd::Stopped { left: format!("what came after the stop ({refused} answered 503)") })
    }
}
