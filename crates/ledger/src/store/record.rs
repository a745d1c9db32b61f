//! What is written when a change is recorded?

use std::borrow::Cow;

use event_detector::StoredForm;
use event_detector_runtime::{
    ChangeRow, DeclaredJob, JobRow, JobState, LedgerError, Millis, Recorded, RecordedVerdict, Recording, spoiled,
};
use rusqlite::OptionalExtension;

use super::Store;
use crate::fault::Fault;
use crate::rows::{self, Attempt, ChangeRecord, Job, Record, Sql, Verdict};

static INSERT_NEW: Sql = Sql::new(|| format!("{} ON CONFLICT (id, source) DO NOTHING", ChangeRecord::TABLE.insert));
static BY_ID: Sql = Sql::new(|| ChangeRecord::TABLE.find("WHERE id = ?1 AND source = ?2"));

/// A recording, and of its change what takes time to make.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) recording: Recording,
    key: String,
    form: StoredForm,
    beside: String,
    committed_at: Option<Millis>,
}

impl Prepared {
    pub(crate) fn new(recording: Recording) -> Self {
        let change = &recording.change;
        let stored = change.to_stored();
        let (form, beside) = (stored.form, stored.beside.into_owned());
        Self {
            key: change.key().to_json().map(|key| key.to_string()).unwrap_or_default(),
            form,
            beside,
            committed_at: change.committed_at().map(|at| at.timestamp_millis()),
            recording,
        }
    }
}

/// A change that is there already.
struct Earlier {
    change: ChangeRow,
    recorded_at: Millis,
}

impl Store {
    /// Records a change with its verdicts, its jobs and the position of its source.
    pub(crate) fn record(&mut self, prepared: &Prepared) -> Result<Recorded, Fault> {
        let Recording { change, position, verdicts, jobs, begins } = &prepared.recording;
        let source = change.source();
        let (row, recorded_at) = (self.next_change, self.at);
        let seq = self.source(source)?.row.seq + 1;
        let record = ChangeRecord {
            change: row,
            source: source.into(),
            seq,
            id: change.id().into(),
            database: change.database().into(),
            collection: change.collection().into(),
            operation: change.operation().as_str().into(),
            key: prepared.key.as_str().into(),
            correlation_id: change.correlation_id().into(),
            committed_at: prepared.committed_at,
            recorded_at,
            form: prepared.form.as_str().into(),
            body: change.bytes().into(),
            beside: prepared.beside.as_str().into(),
            deaths: 0,
        };
        if !self.put_change(&record)? {
            let earlier = self.earlier(prepared)?;
            if let Some(position) = position {
                self.keep(source, position)?;
            }
            return Ok(Recorded::Duplicate { change: earlier.change, recorded_at: earlier.recorded_at });
        }
        self.next_change += 1;
        self.counts.rows += 1;
        let known = self.source(source)?;
        known.row.seq = seq;
        known.is_moved = true;
        if let Some(position) = position {
            self.keep(source, position)?;
        }
        let state = JobState::recorded(*begins);
        let jobs = self.put_verdicts(row, 0, verdicts, jobs, state)?;
        if *begins {
            for job in &jobs {
                let attempt =
                    Attempt { job: *job, attempt: 1, started_at: recorded_at, finished_at: None, outcome: None, error: None };
                rows::insert(&self.connection, &attempt)?;
            }
            self.counts.rows += jobs.len() as u64;
        }
        Ok(Recorded::New { change: row, jobs })
    }

    /// Inserts a change, if its source has none of its id.
    fn put_change(&self, record: &ChangeRecord<'_>) -> Result<bool, Fault> {
        if spoiled("unique-key") {
            rows::insert(&self.connection, record)?;
            return Ok(true);
        }
        Ok(rows::put(&self.connection, &INSERT_NEW, record)?)
    }

    /// The change of this id that is there already, if it says the same.
    fn earlier(&self, prepared: &Prepared) -> Result<Earlier, Fault> {
        let change = &prepared.recording.change;
        let (id, source) = (change.id(), change.source());
        let missing =
            || Fault::Damaged(format!("table `changes`: the index has the id `{id}` of the source `{source}`, and no row has"));
        if prepared.recording.position.is_some() {
            // What comes with a position comes from a stream, where an id is of one change only.
            let sql = "SELECT change, recorded_at FROM changes WHERE id = ?1 AND source = ?2";
            let found = self
                .connection
                .prepare_cached(sql)?
                .query_row([id, source], |row| Ok(Earlier { change: row.get(0)?, recorded_at: row.get(1)? }));
            return found.optional()?.ok_or_else(missing);
        }
        let stored: ChangeRecord<'_> = rows::one(&self.connection, &BY_ID, [id, source])?.ok_or_else(missing)?;
        let earlier = Earlier { change: stored.change, recorded_at: stored.recorded_at };
        let stored =
            stored.restore().map_err(|error| Fault::Damaged(format!("table `changes`, change {}: {error}", earlier.change)))?;
        if stored.says_the_same_as(change) {
            return Ok(earlier);
        }
        Err(Fault::Refused(LedgerError::IdReused { id: id.to_owned(), recorded_at: earlier.recorded_at }))
    }

    /// Inserts what the detectors said of a change in a run, and the jobs of the events that fire.
    pub(crate) fn put_verdicts(
        &mut self,
        change: ChangeRow,
        run: i64,
        verdicts: &[RecordedVerdict],
        jobs: &[DeclaredJob],
        state: JobState,
    ) -> Result<Vec<JobRow>, Fault> {
        for verdict in verdicts {
            let record = Verdict {
                change,
                run,
                event: verdict.event.into(),
                said: verdict.said.as_str().into(),
                fires: verdict.fires,
                detail: verdict.detail.as_deref().map(Cow::Borrowed),
            };
            rows::insert(&self.connection, &record)?;
        }
        let first = self.next_job;
        for (declared, job) in jobs.iter().zip(first..) {
            let mut record = Job {
                job,
                change,
                run,
                event: declared.event.into(),
                name: (&*declared.name).into(),
                nth: declared.nth,
                options: declared.options.as_str().into(),
                effect: declared.effect.as_str().into(),
                ordered: declared.ordered,
                stage: "".into(),
                attempts: 0,
                failures: 0,
                due_at: None,
                updated_at: self.at,
                result: None,
                error: None,
            };
            record.set(state);
            self.counts.waiting += i64::from(record.due_at.is_some());
            self.due_moved |= record.due_at.is_some();
            rows::insert(&self.connection, &record)?;
            self.next_job = job + 1;
        }
        self.counts.rows += (verdicts.len() + jobs.len()) as u64;
        Ok((first..self.next_job).collect())
    }
}
