//! What is a program: the events that are linked in, and what it adds to them?

use std::process::ExitCode;

use clap::Parser;
use event_detector::{Registry, State};
use event_detector_ledger::Sqlite;
use event_detector_runtime::{Builder, Plugin, Runtime, Source, Sources};

use crate::args::{Cli, Command, Options};
use crate::commands::{self, Emitted};
use crate::exit::{Exit, Failure};
use crate::globs;
use crate::logging;
use crate::settings::{LedgerSettings, Settings};
use crate::usage;

type Step = Box<dyn FnOnce(Builder) -> Builder>;

/// A program with the events that are linked into it: `App::default().state(pool).plugin(p).source(s).main()`.
#[derive(Default)]
pub struct App {
    state: State,
    plugins: Vec<Step>,
    sources: Sources,
    demo: Option<&'static str>,
}

/// The ready-made program: `App::default().main()`.
pub fn main() -> ExitCode {
    App::default().main()
}

impl App {
    /// Registers a value that jobs find by its type with `cx.state::<T>()`.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Adds a plugin.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.push(Box::new(move |builder| builder.plugin(plugin)));
        self
    }

    /// Adds a source of changes, taken by `run`.
    #[must_use]
    pub fn source(mut self, source: impl Source) -> Self {
        self.sources.add(source);
        self
    }

    /// Bundles the recorded changes that `demo` plays: one JSON object a line, the first may be `{"context": {…}}` for all.
    ///
    /// In the lines, `{receiver}` stands for the URL of a web server that accepts everything, and `{dir}` for a directory that
    /// is removed in the end.
    #[must_use]
    pub fn demo(mut self, recorded: &'static str) -> Self {
        self.demo = Some(recorded);
        self
    }

    /// Does what the command line says, and returns the exit code. It makes its own tokio runtime, so it is called from a plain
    /// `fn main`.
    pub fn main(self) -> ExitCode {
        let cli = match Cli::try_parse() {
            Ok(cli) => cli,
            Err(error) => return usage::explain(error),
        };
        let json = cli.options.json;
        match self.execute(cli) {
            Ok(exit) => exit.into(),
            Err(failure) => {
                failure.print(json);
                failure.exit.into()
            }
        }
    }

    fn execute(self, cli: Cli) -> Result<Exit, Failure> {
        let command = match cli.command {
            None => return commands::welcome(self.demo.is_some()),
            // These need no event and no settings: what they write comes first.
            Some(Command::New { what }) => return commands::new(&what, &cli.options),
            Some(Command::Completions { shell }) => return commands::completions(shell),
            Some(command) => command,
        };
        let mut settings = Settings::load(&cli.options, &command.limits())?;
        settings.listen = command.listen().or(settings.listen).filter(|address| !address.is_empty());
        let watched = command.watched();
        settings.mongodb = settings.mongodb.under(&watched);
        let ledger = std::mem::take(&mut settings.ledger).under(&command.kept());
        logging::start(settings.log.as_deref(), !cli.options.json && !cli.options.quiet)?;
        let registry = Registry::from_linked().map_err(|error| Failure::new(Exit::Config, error))?;
        let registry = globs::select(registry, &settings.only, &settings.except)?;
        let program = Program { options: cli.options, settings, ledger, registry, state: self.state, plugins: self.plugins };
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Unavailable, format!("the asynchronous runtime cannot start: {error}")))?;
        let exit = tokio.block_on(async {
            match command {
                Command::List(what) => commands::list(&program, what),
                Command::Why(what) => commands::why(&program, &what).await,
                Command::Detect { file, verbose, strict } => commands::detect(&program, &file, verbose, strict).await,
                Command::Demo { .. } => commands::demo(program, self.demo).await,
                Command::Run(what) => commands::run(program, self.sources, &what).await,
                Command::Check { .. } => commands::check(program, watched.enable_images).await,
                Command::Emit { collection, data, database, session, correlation_id, .. } => {
                    commands::emit(program, Emitted { collection, data, database, session, correlation_id }).await
                }
                Command::Backtest(what) => commands::backtest(program, &what).await,
                Command::Catalogue(what) => commands::catalogue(&program, &what),
                Command::Record(what) => commands::record(program, &what).await,
                Command::Recorded(what) => commands::recorded(program, what).await,
                Command::New { .. } | Command::Completions { .. } => unreachable!("they were answered without events"),
            }
        });
        // A job that blocks its thread must not keep the program from ending.
        tokio.shutdown_background();
        exit
    }
}

/// What a command works with.
pub(crate) struct Program {
    pub(crate) options: Options,
    pub(crate) settings: Settings,
    pub(crate) ledger: LedgerSettings,
    pub(crate) registry: Registry,
    state: State,
    plugins: Vec<Step>,
}

impl Program {
    /// The runtime, with `first` in front of the program's own plugins, and what it keeps in `ledger`.
    pub(crate) fn runtime(self, first: impl Plugin, ledger: Option<Sqlite>) -> Result<Runtime, Failure> {
        let mut builder = Runtime::builder(self.registry).config(self.settings.config).state(self.state).plugin(first);
        if let Some(ledger) = ledger {
            builder = builder.ledger(ledger);
        }
        for (name, value) in self.settings.context {
            builder = builder.context(name, value);
        }
        let builder = self.plugins.into_iter().fold(builder, |builder, step| step(builder));
        builder.build().map_err(|error| Failure::new(Exit::Config, error))
    }
}
