//! axum-jwks, as its page shows it.
use axum::{
    extract::FromRef,
    http::status::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
    Json, Router,
};
use axum_jwks::{Claims, Jwks, ParseTokenClaims, TokenError};
use serde::{Deserialize, Serialize};
use std::env::var;

#[derive(Clone)]
struct AppState {
    jwks: Jwks,
}

impl FromRef<AppState> for Jwks {
    fn from_ref(state: &AppState) -> Self {
        state.jwks.clone()
    }
}

#[derive(Deserialize, Serialize)]
struct TokenClaims {
    sub: String,
}

impl ParseTokenClaims for TokenClaims {
    type Rejection = Refused;
}

struct Refused(TokenError);

impl From<TokenError> for Refused {
    fn from(cause: TokenError) -> Self {
        Self(cause)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::UNAUTHORIZED, self.0.to_string()).into_response()
    }
}

async fn orders(Claims(claims): Claims<TokenClaims>) -> Json<TokenClaims> {
    Json(claims)
}

#[tokio::main]
async fn main() {
    let discovery = var("ISSUER").unwrap() + ".well-known/openid-configuration";
    let jwks = Jwks::from_oidc_url(&discovery, Some(&var("AUDIENCE").unwrap())).await.unwrap();
    let app = Router::new().route("/orders", get(orders)).with_state(AppState { jwks });
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", var("PORT").unwrap())).await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
