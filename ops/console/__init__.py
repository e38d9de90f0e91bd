"""The first page of the control post.

Live incidents, feeds, counters, the desk form. Polish and English, no build step.
"""
