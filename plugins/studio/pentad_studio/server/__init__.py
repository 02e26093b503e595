"""The web server: who may ask, how a page is made, and how something long is streamed and cancelled."""
