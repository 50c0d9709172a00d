"""The state machines behind the decorators, without input and output.

Nothing here reads a clock, takes a lock, starts a thread, awaits, or logs.
Time and random numbers come in as arguments; decisions go out as return values.
A machine is not safe for concurrent use: its driver holds a lock around each call.
So the tests are sequences of calls and comparisons, and one machine serves threads and coroutines.
"""
