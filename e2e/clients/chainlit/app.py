"""Chainlit with its generic OAuth provider, as its "OAuth" page shows it."""
import chainlit as cl


@cl.oauth_callback
def oauth_callback(provider_id, token, raw_user_data, default_user):
    return default_user


@cl.on_message
async def answer(message):
    await cl.Message(content=message.content).send()
