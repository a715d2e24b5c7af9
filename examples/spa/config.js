// Where things are, as Caddyfile.example serves them.

export const GATEWAY = "http://localhost:8080/";
export const API = "http://localhost:8082/";
export const CLIENT_ID = "demo-spa";

// The client's `refresh_token { leeway }`.
export const LEEWAY_SECONDS = 10;
