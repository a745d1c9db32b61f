//! What is looked at before a ledger may be used?

use crate::files::{Files, make_private, sync_dir};
use crate::lock::{Holder, Owner};
use crate::mark::{self, Found, Mark};
use crate::open_error::OpenError;
use crate::schema::{self, Access, STEPS};
use crate::store::Store;

/// Opens the ledger to own it, and makes it where it is missing.
pub(crate) fn open(files: &Files) -> Result<(Store, Mark, Owner), OpenError> {
    files.make_dir().map_err(OpenError::file(files.dir().to_owned()))?;
    let owner = Owner::take(&files.lock()).map_err(OpenError::file(files.lock()))?;
    let owner = owner.map_err(|Holder { pid, host, since }| OpenError::Locked { pid, host, since })?;
    let found = mark::read(&files.mark()).map_err(OpenError::file(files.mark()))?;
    let store = open_store(files, found)?;
    let mut mark = Mark::open(&files.mark()).map_err(OpenError::file(files.mark()))?;
    mark.write(store.promised());
    mark.sync();
    sync_dir(files.dir()).map_err(OpenError::file(files.dir().to_owned()))?;
    Ok((store, mark, owner))
}

fn open_store(files: &Files, found: Found) -> Result<Store, OpenError> {
    make_private(&files.database()).map_err(OpenError::file(files.database()))?;
    let mut connection = schema::connect(&files.database(), Access::Create)?;
    if let Found::Promised(promised) = found
        && promised.commits > 0
        && schema::is_empty(&connection)?
    {
        return Err(OpenError::Damaged(format!(
            "`ledger.db` is empty, and {} transactions were written to it; to begin anew, remove the file `mark` as well",
            promised.commits
        )));
    }
    schema::migrate(&mut connection, files, STEPS)?;
    let mut store = Store::new(connection)?;
    // There are few of them, and sources go on from them.
    store.positions()?;
    let surviving = store.promised().commits;
    let promised = match found {
        Found::Promised(promised) => promised.commits,
        Found::Missing if surviving == 0 => 0,
        Found::Missing | Found::Damaged => {
            tracing::warn!("the ledger's mark is missing or damaged, so nobody can say whether its last transactions are there");
            surviving
        }
    };
    store.transact(|store| {
        if promised > surviving {
            let lost = promised - surviving;
            tracing::error!(
                lost,
                surviving,
                "the ledger's last transactions were lost; sources go on from the positions that are left"
            );
            store
                .gap_for_each(&format!("the ledger's last {lost} transactions were lost: {surviving} of {promised} are left"))?;
        }
        store.take_over(promised)
    })?;
    Ok(store)
}
