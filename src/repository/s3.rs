//! A bucket: who we are there comes from the environment and from nowhere else.
//!
//! Departure: not `AmazonS3Builder::from_env`, which also takes from the environment that
//! certificates are not checked, that requests are not signed, and that a machine in the network
//! neighbourhood is asked for credentials.

use std::env;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ClientOptions, RetryConfig};

use super::RepositoryError;

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
const REGION: &str = "AWS_REGION";
const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// How long one request may take. Chosen: 8 MiB over a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// How often, and for how long, a request that the server could not serve is repeated. Chosen: a
/// person waits for it.
const RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Opens the bucket; beside it come the words that must stand in no message.
pub(super) fn open(bucket: &str) -> Result<(AmazonS3, Vec<String>), RepositoryError> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let needed = |name: &'static str| variable(name).ok_or(RepositoryError::NotSet { name });
    let (key_id, secret, token) = (needed(KEY_ID)?, needed(SECRET)?, variable(TOKEN));
    let region = variable(REGION).or_else(|| variable(DEFAULT_REGION));
    let endpoint = variable(ENDPOINT);
    let loopback = endpoint.as_deref().map(is_loopback).transpose()?.unwrap_or(false);

    // The one provider of this program; a second call finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region.unwrap_or_else(|| "us-east-1".to_owned()))
        .with_access_key_id(&key_id)
        .with_secret_access_key(&secret)
        .with_client_options(
            ClientOptions::new().with_allow_http(loopback).with_timeout(REQUEST_TIMEOUT),
        )
        .with_retry(RetryConfig {
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        });
    if let Some(token) = &token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let secrets = [Some(key_id), Some(secret), token].into_iter().flatten().collect();
    // What it may complain of is the bucket and the endpoint.
    let store = builder.build().map_err(|error| RepositoryError::Store(error.to_string()))?;
    Ok((store, secrets))
}

/// Whether the endpoint is this machine without TLS; any other must have it.
fn is_loopback(endpoint: &str) -> Result<bool, RepositoryError> {
    let in_the_clear = RepositoryError::InTheClear { name: ENDPOINT };
    let endpoint = endpoint.to_ascii_lowercase();
    if endpoint.starts_with("https://") {
        return Ok(false);
    }
    let Some(rest) = endpoint.strip_prefix("http://") else { return Err(in_the_clear) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => authority.split(':').next().unwrap_or(authority),
    };
    let loopback = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    // `user@host` would be read as the host `user`.
    if loopback && !authority.contains('@') { Ok(true) } else { Err(in_the_clear) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_do_without_tls() {
        let check = |endpoint: &str, expected: Option<bool>| {
            assert_eq!(is_loopback(endpoint).ok(), expected, "{endpoint}");
        };
        check("https://s3.example.org", Some(false));
        check("http://127.0.0.1:9000", Some(true));
        check("http://127.1.2.3", Some(true));
        check("http://localhost:9000/", Some(true));
        check("HTTP://[::1]:9000", Some(true));
        check("http://10.0.0.1:9000", None);
        check("http://s3.example.org", None);
        check("http://localhost.example.org", None);
        check("http://127.0.0.1.example.org", None);
        check("http://127.0.0.1@example.org", None);
        check("http://localhost:x@example.org", None);
        check("127.0.0.1:9000", None);
        check("", None);
    }
}
