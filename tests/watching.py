"""A watch that is polled by a fake clock, and what it reported."""


def polled(watch, clock, seconds=10.0):
    """The views of so many seconds."""
    views = []
    for _ in range(int(2 * seconds)):
        clock.now += 0.5
        view = watch.poll()
        views += [] if view is None else [view]
    return views


def kinds(views):
    return [news.kind for view in views for news in view.news]
