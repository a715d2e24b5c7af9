// Where things are, as Caddyfile.example serves them.

export const GATEWAY = "http://localhost:8080/";
export const API = "http://localhost:8082/";

// Two clients of one app: the refresh token in JavaScript, or in a cookie.
export const IN_COOKIE = localStorage.getItem("mode") === "cookie";
export const CLIENT_ID = IN_COOKIE ? "demo-cookie" : "demo-spa";

// The client's `refresh_token { leeway }`.
export const LEEWAY_SECONDS = 10;
