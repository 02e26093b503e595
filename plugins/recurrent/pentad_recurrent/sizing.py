def advise(options, situation):
    return None
