//! Opens a way to every contact of a site file: secrets are looked up here, and
//! shown nowhere.

use adapters::deliver::{
    Channel, Email, EmailTarget, Login, Secret, Trust, Webhook, WebhookTarget,
};
use anyhow::Context;

use super::alarms;
use crate::config::{Contact, KeptIn, ReachedBy};

/// Opens a way to a contact. `env` reads the environment.
///
/// # Errors
///
/// When a secret is not where it is said to be, or the way cannot be used.
pub fn open(
    contact: &Contact,
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<alarms::Contact> {
    let channel = channel(&contact.by, env)
        .with_context(|| format!("cannot use the contact `{}`", contact.name))?;
    Ok(alarms::Contact {
        name: contact.name.clone(),
        from_urgency: contact.from_urgency,
        level: contact.level,
        channel,
    })
}

fn channel(
    by: &ReachedBy,
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Channel> {
    Ok(match by {
        ReachedBy::Webhook { url, secret, allow_plain, authorities } => {
            Channel::Webhook(Webhook::new(WebhookTarget {
                url: url.clone(),
                secret: Secret::new(kept_in(secret, env)?),
                allow_plain: *allow_plain,
                trust: trust(authorities.as_ref(), env)?,
            })?)
        }
        ReachedBy::Email { host, port, security, from, to, login, authorities } => {
            let login = match login {
                None => None,
                Some((user, password)) => Some(Login {
                    user: user.clone(),
                    password: Secret::new(kept_in(password, env)?),
                }),
            };
            Channel::Email(Email::new(EmailTarget {
                host: host.clone(),
                port: *port,
                security: *security,
                from: from.clone(),
                to: to.clone(),
                login,
                trust: trust(authorities.as_ref(), env)?,
            })?)
        }
    })
}

pub(super) fn trust(
    authorities: Option<&KeptIn>,
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Trust> {
    Ok(match authorities {
        None => Trust::System,
        Some(kept) => Trust::Only { pem: kept_in(kept, env)? },
    })
}

/// What is kept in a place, without the line's end that editors add.
pub(crate) fn kept_in(
    kept: &KeptIn,
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<String> {
    let text = match kept {
        KeptIn::Env(name) => env(name)
            .with_context(|| format!("expected {kept} to be set, found it is not"))?,
        KeptIn::File(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {kept}"))?,
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
