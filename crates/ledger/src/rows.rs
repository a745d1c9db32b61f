//! How is a row written, read and checked, so that these three cannot disagree?
//!
//! A row is its columns in the order of its table's list, and behind them a checksum over all of them. Whoever writes, reads or checks
//! a row goes through here.

mod tables;

use std::sync::LazyLock;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Params, Row};

use crate::fault::Fault;

pub(crate) use tables::{Attempt, ChangeRecord, GapRecord, Job, Knowledge, Letter, Position, Run, TABLES, Tombstone, Verdict};

/// No table has more columns than this, beside its checksum.
const WIDEST: usize = 16;

/// A cell's kind, and its number or length.
const HEAD: usize = 9;

/// A table: its columns as they are written, read and summed.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// So many of the first columns say which row it is.
    pub(crate) key: usize,
    /// Its columns without the checksum.
    pub(crate) columns: &'static [&'static str],
    /// Inserts a row.
    pub(crate) insert: &'static str,
    /// Inserts a row, in the place of one that has its key.
    pub(crate) replace: &'static str,
    /// Reads rows.
    pub(crate) select: &'static str,
}

/// A statement that is put together once.
pub(crate) type Sql = LazyLock<String>;

impl Table {
    /// Reads the rows that `rest`, what stands behind the table's name, says.
    pub(crate) fn find(&self, rest: &str) -> String {
        format!("{} {rest}", self.select)
    }
}

/// A row of a table.
pub(crate) trait Record: Sized {
    /// The table.
    const TABLE: Table;

    /// What its columns hold, in their order.
    fn cells(&self) -> impl AsRef<[ValueRef<'_>]>;

    /// The row that was read with [`Table::select`] or [`Table::find`].
    fn read(row: &Row<'_>) -> rusqlite::Result<Self>;
}

/// The checksum of a row: CRC-32 over the kind of each cell with its number or length, and behind them the bytes of its texts.
pub(crate) fn sum(cells: &[ValueRef<'_>]) -> i64 {
    let mut heads = [0; WIDEST * HEAD];
    for (head, cell) in heads.chunks_exact_mut(HEAD).zip(cells) {
        let (kind, number) = match *cell {
            ValueRef::Null => (0, 0),
            ValueRef::Integer(value) => (1, value.cast_unsigned()),
            ValueRef::Real(value) => (2, value.to_bits()),
            ValueRef::Text(text) => (3, text.len() as u64),
            ValueRef::Blob(bytes) => (4, bytes.len() as u64),
        };
        head[0] = kind;
        head[1..].copy_from_slice(&number.to_le_bytes());
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&heads[..cells.len() * HEAD]);
    for cell in cells {
        if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = cell {
            hasher.update(bytes);
        }
    }
    i64::from(hasher.finalize())
}

/// The checksum of a record.
pub(crate) fn sum_of(record: &impl Record) -> ValueRef<'static> {
    ValueRef::Integer(sum(record.cells().as_ref()))
}

/// A cell on its way into a statement.
pub(crate) struct Cell<'r>(pub(crate) ValueRef<'r>);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

/// Inserts a row; `false` where the statement found that there is one already.
pub(crate) fn put<R: Record>(connection: &Connection, sql: &str, record: &R) -> rusqlite::Result<bool> {
    let cells = record.cells();
    let cells = cells.as_ref();
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, cells)?;
    statement.raw_bind_parameter(cells.len() + 1, sum(cells))?;
    Ok(statement.raw_execute()? > 0)
}

/// Inserts a row.
pub(crate) fn insert<R: Record>(connection: &Connection, record: &R) -> rusqlite::Result<()> {
    put(connection, R::TABLE.insert, record).map(drop)
}

/// Writes a row in the place of the one that has its key.
pub(crate) fn replace<R: Record>(connection: &Connection, record: &R) -> rusqlite::Result<()> {
    put(connection, R::TABLE.replace, record).map(drop)
}

/// Binds the cells to the first parameters.
pub(crate) fn bind(statement: &mut CachedStatement<'_>, cells: &[ValueRef<'_>]) -> rusqlite::Result<()> {
    cells.iter().enumerate().try_for_each(|(at, cell)| statement.raw_bind_parameter(at + 1, Cell(*cell)))
}

/// The row that the statement, one of [`Table::find`], finds.
pub(crate) fn one<R: Record>(connection: &Connection, sql: &str, params: impl Params) -> Result<Option<R>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(checked).transpose()
}

/// The rows that the statement, one of [`Table::find`], finds.
pub(crate) fn all<R: Record>(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<R>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(checked(row)?);
    }
    Ok(found)
}

/// The row, if it is what was written.
pub(crate) fn checked<R: Record>(row: &Row<'_>) -> Result<R, Fault> {
    verify(&R::TABLE, row)?;
    Ok(R::read(row)?)
}

/// Whether the row is what was written.
pub(crate) fn verify(table: &Table, row: &Row<'_>) -> Result<(), Fault> {
    let count = table.columns.len();
    let mut cells = [ValueRef::Null; WIDEST];
    for (at, cell) in cells.iter_mut().enumerate().take(count) {
        *cell = row.get_ref(at)?;
    }
    if row.get_ref(count)? == ValueRef::Integer(sum(&cells[..count])) {
        return Ok(());
    }
    Err(Fault::Damaged(format!("{} is not what was written, its checksum says", name(table, &cells[..count]))))
}

/// The table and the key of a row, for people.
fn name(table: &Table, cells: &[ValueRef<'_>]) -> String {
    let key = table.columns.iter().zip(cells).take(table.key).map(|(column, cell)| match *cell {
        ValueRef::Integer(value) => format!("{column} {value}"),
        ValueRef::Text(text) => format!("{column} `{}`", String::from_utf8_lossy(text)),
        _ => format!("{column} of another kind"),
    });
    format!("table `{}`, {}", table.name, key.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use rusqlite::types::ValueRef;

    use super::{WIDEST, sum};
    use crate::rows::TABLES;

    #[test]
    fn a_sum_tells_where_a_cell_ends_and_of_which_kind_it_is() {
        let text = |text: &'static str| ValueRef::Text(text.as_bytes());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![ValueRef::Blob(b"ab"), text("c")],
            vec![text("ab"), text("c"), ValueRef::Null],
            vec![text("ab"), ValueRef::Null],
            vec![ValueRef::Integer(0)],
            vec![ValueRef::Null],
            vec![text("")],
            vec![],
        ];

        let mut sums: Vec<i64> = rows.iter().map(|row| sum(row)).collect();
        sums.sort_unstable();
        sums.dedup();

        assert_eq!(sums.len(), rows.len());
    }

    #[test]
    fn the_tables_are_those_of_the_schema_column_by_column() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        let mut names: Vec<String> = Vec::new();

        for table in &TABLES {
            let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
            let mut columns: Vec<String> =
                statement.query_map([table.name], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
            let mut listed = [table.columns, &["sum"]].concat();
            columns.sort_unstable();
            listed.sort_unstable();
            assert_eq!(listed, columns, "{}", table.name);
            assert!(table.columns.len() <= WIDEST && table.key <= table.columns.len(), "{}", table.name);
            names.push(table.name.to_owned());
        }

        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        let tables: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        names.sort_unstable();
        assert_eq!(names, tables);
    }
}
