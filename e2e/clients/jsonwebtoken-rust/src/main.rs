//! jsonwebtoken with a JSON Web Key Set, as its example auth0.rs shows it.
use jsonwebtoken::{decode, decode_header, jwk::JwkSet, Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use std::{env::var, error::Error};
use tiny_http::{Response, Server};

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

fn verify(token: &str, keys: &JwkSet) -> Result<Claims, Box<dyn Error>> {
    let kid = decode_header(token)?.kid.ok_or("no kid")?;
    let key = keys.find(&kid).ok_or("no such key")?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[var("AUDIENCE")?]);
    validation.set_issuer(&[var("ISSUER")?]);
    Ok(decode::<Claims>(token, &DecodingKey::from_jwk(key)?, &validation)?.claims)
}

fn main() -> Result<(), Box<dyn Error>> {
    let keys: JwkSet = ureq::get(var("ISSUER")? + ".well-known/jwks.json").call()?.body_mut().read_json()?;
    let server = Server::http(format!("127.0.0.1:{}", var("PORT")?)).map_err(|failure| failure.to_string())?;
    for request in server.incoming_requests() {
        let header = request.headers().iter().find(|header| header.field.equiv("Authorization"));
        let token = header.map_or("", |header| header.value.as_str().trim_start_matches("Bearer ")).to_owned();
        request.respond(match verify(&token, &keys) {
            Ok(claims) => Response::from_string(claims.sub),
            Err(refused) => Response::from_string(refused.to_string()).with_status_code(401),
        })?;
    }
    Ok(())
}
