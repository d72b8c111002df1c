//! Rows from PostgreSQL, in the form of the CSV that the sources are read from.
//!
//! Asked for is a view with the columns of the source, `fieldcheck.notices` or `fieldcheck.register`
//! (text where nothing else is said):
//!
//! | view | columns |
//! |---|---|
//! | `fieldcheck.notices` | `notice` bigint, `category`, `code`, `decision`, `issuer`, `decided` date, `valid_to` date, `action`, `contact`, `name`, `aliases`, `birth`, `sex`, `numbers`, `caution`, `marks` |
//! | `fieldcheck.register` | `number`, `name`, `birth`, `issued` date, `status` |
//!
//! Cells hold what the cells of the CSV hold: `birth` is text, since it may be a year alone; lists
//! have semicolons. The columns are asked for by name, so that whatever else a view has never leaves
//! the database. Everything is read in one transaction, which sees one state and can write nothing.
//!
//! There is no TLS here: headquarters builds on an offline machine, and another library of encryption
//! for the few who do not would have to be kept up like the rest. So only this machine is asked, by
//! loopback or by a socket in the file system; the way to another machine is a tunnel (`ssh -L`).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use postgres::config::Host;
use postgres::error::SqlState;
use postgres::{Config, IsolationLevel, NoTls};
use zeroize::Zeroizing;

/// How long a server may take to answer the call. Chosen: it is on this machine, or at the end of a
/// tunnel that stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest file of passwords that is read.
const MAX_PASSFILE_BYTES: u64 = 64 * 1024;

/// What is asked for: the columns of a source, in the order of its key.
pub(super) struct Question<'a> {
    /// The columns, by name.
    pub columns: &'a [&'static str],
    /// The column to order by.
    pub key: &'static str,
    /// The view that has them.
    pub view: &'static str,
    /// A query that has them instead of the view.
    pub query: Option<&'a str>,
}

impl Question<'_> {
    fn copy_statement(&self) -> String {
        let columns = self.columns.join(", ");
        // The line ends keep a comment at the end of a query from taking what follows with it.
        let from = match self.query {
            Some(query) => format!("(\n{}\n) AS source", query.trim().trim_end_matches(';')),
            None => self.view.to_owned(),
        };
        format!(
            "COPY (SELECT {columns} FROM {from} ORDER BY {}) TO STDOUT (FORMAT csv, HEADER)",
            self.key
        )
    }
}

/// Returns the name of the database for people: host and database, and no password.
pub(super) fn name(url: &str) -> String {
    match url.parse::<Config>() {
        Ok(config) => name_of(&config),
        Err(_) => "the database".to_owned(),
    }
}

fn name_of(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => "no host".to_owned(),
    };
    format!("{} on {host}", database(config))
}

fn database(config: &Config) -> &str {
    config.get_dbname().or(config.get_user()).unwrap_or("the database")
}

/// Gives the rows that answer `question` to `take`, as CSV with a header.
pub(super) fn read<T>(
    url: &str,
    question: &Question<'_>,
    take: impl FnOnce(&mut dyn Read) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    // What the parser says could repeat a part of the password.
    let mut config: Config = url.parse().map_err(|_| {
        anyhow!("the address of the database is not like postgres://USER@localhost/DATABASE")
    })?;
    check_is_here(&config)?;
    if config.get_password().is_none()
        && let Some(password) = find_password(&config)?
    {
        config.password(password.as_str());
    }
    config.connect_timeout(CONNECT_TIMEOUT).application_name("fieldcheckctl");
    let explain = |error: postgres::Error| explain(&error, &config, question);
    let mut client = config.connect(NoTls).map_err(explain)?;
    let mut transaction = client
        .build_transaction()
        .read_only(true)
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .map_err(explain)?;
    transaction.batch_execute("SET LOCAL datestyle TO 'ISO, YMD'").map_err(explain)?;
    let reader = transaction.copy_out(question.copy_statement().as_str()).map_err(explain)?;
    let mut reader = Explaining {
        reader,
        explain: |error: &postgres::Error| self::explain(error, &config, question),
    };
    take(&mut reader)
}

/// Refuses to send names of a register, and a password, through a network in the clear.
fn check_is_here(config: &Config) -> anyhow::Result<()> {
    if config.get_hosts().is_empty() {
        bail!(
            "the address names no host; for a socket in the file system it is like \
             postgres:///DATABASE?host=/run/postgresql"
        );
    }
    let names = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => is_loopback(name),
    });
    if !names || config.get_hostaddrs().iter().any(|address| !address.is_loopback()) {
        bail!(
            "the database is on another machine, and this connection is not encrypted; \
             open a tunnel (ssh -L 5432:localhost:5432 THERE) and ask localhost"
        );
    }
    Ok(())
}

fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Says what happened and what to do; of what the server says only its code, and names of the schema,
/// for its texts can hold cells.
fn explain(error: &postgres::Error, config: &Config, question: &Question<'_>) -> anyhow::Error {
    let database = database(config);
    let Some(said) = error.as_db_error() else {
        return explain_connection(error);
    };
    let code = said.code();
    let source = match question.query {
        Some(_) => "the query",
        None => question.view,
    };
    if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::INVALID_SCHEMA_NAME {
        let view = question.view;
        return match question.query {
            Some(_) => anyhow!("the query asks for a table or view that is not there"),
            None => anyhow!("{database} has no view {view}; make it, or name a query by --query"),
        };
    }
    if *code == SqlState::UNDEFINED_COLUMN {
        let columns = question.columns.join(", ");
        return anyhow!("{source} lacks a column; it must have {columns}");
    }
    if *code == SqlState::SYNTAX_ERROR {
        return anyhow!("the query is not SQL that stands behind FROM ( )");
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return anyhow!(
            "this user may not read {source}; grant him SELECT on it, and on its schema USAGE"
        );
    }
    if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    {
        return anyhow!(
            "the server does not take this user and password; the password stands in PGPASSFILE"
        );
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return anyhow!("the server has no database {database}");
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return anyhow!("{source} wants to write, and this transaction only reads");
    }
    anyhow!("the server refused with SQLSTATE {}; its log says more", code.code())
}

fn explain_connection(error: &postgres::Error) -> anyhow::Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
                return anyhow!(
                    "no server answers there; is PostgreSQL running, and is this its host and port?"
                );
            }
            Some(io::ErrorKind::TimedOut) => {
                return anyhow!(
                    "the server did not answer within {} seconds",
                    CONNECT_TIMEOUT.as_secs()
                );
            }
            _ => cause = error.source(),
        }
    }
    let text = error.to_string();
    if text.contains("password missing") || text.contains("invalid configuration") {
        return anyhow!(
            "the server asks for a password; put it into the file that PGPASSFILE names"
        );
    }
    if error.is_closed() {
        return anyhow!("the server ended the connection before all rows had come");
    }
    anyhow!("the connection to the server failed")
}

/// Explains errors in the middle of the rows, before the reader of the CSV sees them.
struct Explaining<'a, F> {
    reader: postgres::CopyOutReader<'a>,
    explain: F,
}

impl<F: Fn(&postgres::Error) -> anyhow::Error> Read for Explaining<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let explained = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(inner) => (self.explain)(inner),
                None => anyhow!("the connection to the server failed"),
            };
            io::Error::other(explained)
        })
    }
}

/// Looks for the password in the file that `PGPASSFILE` names, or in `.pgpass` at home.
fn find_password(config: &Config) -> anyhow::Result<Option<Zeroizing<String>>> {
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    let at_home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".pgpass"));
    let is_named = named.is_some();
    let Some(path) = named.or_else(at_home) else { return Ok(None) };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let mode = file.metadata().with_context(|| path.display().to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{}: others may read this file of passwords; chmod 600 it", path.display());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_PASSFILE_BYTES)
        .read_to_string(&mut text)
        .with_context(|| path.display().to_string())?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        // PostgreSQL's documentation, "The Password File": a socket goes by `localhost` there.
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let wanted = [host.as_str(), &port, database(config), config.get_user().unwrap_or_default()];
    Ok(text.lines().find_map(|line| password_of(line, wanted)))
}

/// Returns the password of a line `host:port:database:user:password` that fits; `*` fits everything, a
/// backslash takes away the meaning of the next character.
fn password_of(line: &str, wanted: [&str; 4]) -> Option<Zeroizing<String>> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line.chars();
    for wanted in wanted {
        let (mut field, mut escaped) = (String::new(), false);
        loop {
            match rest.next()? {
                ':' => break,
                '\\' => {
                    escaped = true;
                    field.push(rest.next()?);
                }
                c => field.push(c),
            }
        }
        let fits_all = field == "*" && !escaped;
        if !fits_all && field != wanted {
            return None;
        }
    }
    let mut password = Zeroizing::new(String::with_capacity(rest.as_str().len()));
    while let Some(c) = rest.next() {
        password.push(if c == '\\' { rest.next()? } else { c });
    }
    Some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTER: Question<'_> = Question {
        columns: &["number", "name"],
        key: "number",
        view: "fieldcheck.register",
        query: None,
    };

    #[test]
    fn the_columns_are_asked_for_by_name_and_in_order() {
        let copied = "COPY (SELECT number, name FROM fieldcheck.register ORDER BY number) \
                      TO STDOUT (FORMAT csv, HEADER)";
        assert_eq!(REGISTER.copy_statement(), copied);
        let asked = Question { query: Some(" SELECT * FROM x; "), ..REGISTER }.copy_statement();
        assert!(asked.contains("FROM (\nSELECT * FROM x\n) AS source ORDER BY number)"), "{asked}");
    }

    #[test]
    fn only_this_machine_is_asked() {
        let check = |url: &str| check_is_here(&url.parse().expect("an address"));
        for url in [
            "postgres://clerk@localhost/registers",
            "postgres://clerk@127.0.0.1:5433/registers",
            "postgres://clerk@[::1]/registers",
            "postgres:///registers?host=/run/postgresql&user=clerk",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
        for url in [
            "postgres://clerk@db.example/registers",
            "postgres://clerk@10.0.0.7/registers",
            "postgres://clerk@localhost,10.0.0.7/registers",
            "postgres://clerk@localhost/registers?hostaddr=10.0.0.7",
            "postgres://clerk@localhost.example/registers",
        ] {
            let refused = check(url).expect_err(url).to_string();
            assert!(refused.starts_with("the database is on another machine"), "{url}: {refused}");
        }
        let refused = check("postgres:///registers").expect_err("no host").to_string();
        assert!(refused.starts_with("the address names no host"), "{refused}");
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_repeated() {
        for url in ["postgres://clerk:s3cret@localhost:port/x", "clerk s3cret", ""] {
            let refused = read(url, &REGISTER, |_| Ok(())).expect_err(url);
            assert!(!format!("{refused:?}").contains("s3cret"), "{refused:?}");
            assert!(!name(url).contains("s3cret"));
        }
        assert_eq!(name("postgres://clerk:s3cret@localhost/x"), "x on localhost");
    }

    #[test]
    fn a_password_is_found_by_all_four_fields() {
        let wanted = ["localhost", "5432", "registers", "clerk"];
        for (line, password) in [
            ("localhost:5432:registers:clerk:s3cret", Some("s3cret")),
            ("*:*:*:clerk:s3:cret", Some("s3:cret")),
            (r"*:*:*:*:s3\:c\\ret", Some(r"s3:c\ret")),
            ("localhost:5433:registers:clerk:s3cret", None),
            ("*:*:*:author:s3cret", None),
            (r"\*:*:*:*:s3cret", None),
            ("#*:*:*:*:s3cret", None),
            ("*:*:*", None),
            ("", None),
        ] {
            let found = password_of(line, wanted);
            assert_eq!(found.as_ref().map(|found| found.as_str()), password, "{line}");
        }
    }
}
