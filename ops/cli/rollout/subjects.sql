-- name: find_by_email
-- With single sign-on two users may have one address.
select id from auth.users where lower(email) = lower(%(email)s) order by id limit 10
