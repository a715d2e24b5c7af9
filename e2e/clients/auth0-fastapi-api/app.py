"""auth0-fastapi-api, as its README shows it."""
import os
from urllib.parse import urlsplit

import uvicorn
from fastapi import Depends, FastAPI
from fastapi_plugin.fast_api_client import Auth0FastAPI

app = FastAPI()
auth0 = Auth0FastAPI(domain=urlsplit(os.environ["ISSUER"]).netloc, audience=os.environ["AUDIENCE"])


@app.get("/orders")
async def orders(claims: dict = Depends(auth0.require_auth())):
    return {"user": claims["sub"]}


uvicorn.run(app, port=int(os.environ["PORT"]))
